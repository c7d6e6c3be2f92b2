package policy

import (
	"errors"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/wire"
)

// HTTPSConfig says what keeps clients to HTTPS.
type HTTPSConfig struct {
	Redirect Redirect `env:"HTTPS_REDIRECT" envDefault:"off" needs:"TLS_CERT_FILE|TLS_ACME_DOMAINS|TRUSTED_PROXIES!=none" doc:"on sends whoever asks over HTTP to the same place over HTTPS, with 308; a trusted proxy's word about the scheme counts"`
	HSTS     HSTS     `env:"HSTS" needs:"TLS_CERT_FILE|TLS_ACME_DOMAINS|TRUSTED_PROXIES!=none" zero:"not sent" doc:"Strict-Transport-Security of answers to requests over HTTPS, those for the proxy's own endpoints apart, such as max-age=31536000; includeSubDomains, in place of the backends'"`
}

// Check returns what is wrong with values that are right by themselves: who has to
// show a certificate must not get in without one over HTTP.
func (c *HTTPSConfig) Check(tls *wire.TLSConfig, auth *AuthConfig) error {
	if !tls.Requires() || tls.Port == 0 || c.Redirect == "on" || auth.ClientCert != "" {
		return nil
	}
	return config.Wrong(config.Fields{&tls.ClientCAFile, &tls.Port}, "who comes over HTTP gets in without a certificate; leave %s out, or set %s=on or %s", &tls.Port, &c.Redirect, &auth.ClientCert)
}

// Redirect says whether clients are sent from HTTP to HTTPS.
type Redirect string

// UnmarshalText parses on or off.
func (r *Redirect) UnmarshalText(text []byte) error { return config.OneOf(r, text, "on", off) }

// HSTS is the value of Strict-Transport-Security.
type HSTS string

// hsts is RFC 6797 §6.1, with preload, which browsers' lists ask for.
var hsts = regexp.MustCompile(`(?i)^max-age=(0|[1-9][0-9]{0,9}|"[0-9]{1,10}")(; ?(includeSubDomains|preload)){0,2}$`)

// UnmarshalText parses a value.
func (h *HSTS) UnmarshalText(text []byte) error {
	if !hsts.Match(text) {
		return errors.New("must be max-age=SECONDS, and then, each after a semicolon, includeSubDomains and preload if they are meant")
	}
	*h = HSTS(text)
	return nil
}

// HTTPS returns a wrapper that keeps clients to HTTPS, or nil when nothing does.
// port is where that is spoken, 0 where that is not known. A client that came to
// the usual port of HTTP, or through a proxy, is sent to the usual one of HTTPS,
// whatever the port is called inside. Who names no such place, or not in a way that
// is understood, gets refuse's answer.
func HTTPS(cfg HTTPSConfig, port uint16, refuse Refuse) func(http.Handler) http.Handler {
	if cfg.Redirect != "on" && cfg.HSTS == "" {
		return nil
	}
	strict := []string{string(cfg.HSTS)}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			client := handler.ClientOf(r)
			switch {
			case client.Scheme == "https":
				if cfg.HSTS != "" {
					handler.AnswerOf(r).Set("Strict-Transport-Security", strict...)
				}
			case cfg.Redirect == "on" && isResource(r):
				if wrong := handler.Malformed(r); wrong != "" {
					refuse(w, r, fault.Refusal{Status: http.StatusBadRequest, Detail: wrong})
				} else if client.Host == "" {
					refuse(w, r, fault.Refusal{Status: http.StatusBadRequest, Detail: "The request names no host, and HTTPS is asked for here."})
				} else {
					redirect(w, r, secureAuthority(client.Host, port))
				}
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// isResource reports whether r asks for something that has a URL. What does not, a
// tunnel or *, is answered by the proxy itself.
func isResource(r *http.Request) bool {
	return r.Method != http.MethodConnect && r.RequestURI != "*"
}

// secureAuthority returns where HTTPS is spoken for who came to authority.
func secureAuthority(authority string, port uint16) string {
	host, came, err := net.SplitHostPort(authority)
	if err != nil {
		return authority // without a port
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if came == "" || came == "80" || came == "443" || port == 0 || port == 443 {
		return host
	}
	return host + ":" + strconv.Itoa(int(port))
}

// redirect sends r to the same place over HTTPS, whatever its method is.
func redirect(w http.ResponseWriter, r *http.Request, authority string) {
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") {
		target = r.URL.RequestURI() // of a target in absolute form
	}
	handler.AnswerOf(r).Apply(w.Header())
	w.Header().Set("Location", "https://"+authority+target)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusPermanentRedirect)
}
