package rewrite

import (
	"net/http"
	"slices"

	"spangate/handler"
	"spangate/handler/config"
)

// Security says whether answers get the preset of fields for browsers.
type Security string

// UnmarshalText parses on or off.
func (s *Security) UnmarshalText(text []byte) error { return config.OneOf(s, text, "on", "off") }

// preset are the fields of the OWASP Secure Headers Project (its list of July 2026) that
// are right whatever is behind the proxy. Where that list's value would break what many
// pages do, it is the strictest that does not: pages in frames of their own
// (X-Frame-Options), the Referer that embedded videos and maps ask for (Referrer-Policy),
// windows in which one signs in elsewhere (Cross-Origin-Opener-Policy). What only an
// application can know is not here: Content-Security-Policy, Permissions-Policy,
// Cross-Origin-Embedder-Policy, Cross-Origin-Resource-Policy, Cache-Control and
// Clear-Site-Data. Strict-Transport-Security is HSTS's.
var preset = []struct {
	name   string
	values []string
}{
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"X-Frame-Options", []string{"SAMEORIGIN"}},
	{"Referrer-Policy", []string{"strict-origin-when-cross-origin"}},
	{"Cross-Origin-Opener-Policy", []string{"same-origin-allow-popups"}},
	{"X-Permitted-Cross-Domain-Policies", []string{"none"}},
	{"X-Dns-Prefetch-Control", []string{"off"}},
}

// SecurityHeaders returns a wrapper that has every answer say what the preset says where
// nobody says something else: whether a backend gives it, or the proxy, which refuses a
// request or has the answer itself. It is nil where the preset is off. Fields that
// RESPONSE_HEADERS names are left to that.
func SecurityHeaders(cfg Config) func(http.Handler) http.Handler {
	if cfg.Security != "on" {
		return nil
	}
	said := cfg.ResponseHeaders.Names()
	fields := http.Header{}
	for _, f := range preset {
		if !slices.Contains(said, f.name) {
			fields[f.name] = f.values
		}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handler.AnswerOf(r).Default(fields)
			next.ServeHTTP(w, r)
		})
	}
}
