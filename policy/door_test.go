package policy_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"spangate/handler/fault"
	"spangate/policy"
)

// authConfig returns cfg with the defaults of what it leaves open.
func authConfig(cfg policy.AuthConfig) policy.AuthConfig {
	cfg.APIKeyHeader, cfg.PrincipalHeader, cfg.MethodHeader = "X-API-Key", "X-Auth-Principal", "X-Auth-Method"
	return cfg
}

// passed is what became of a request.
type passed struct {
	Status    int
	Reason    string // of the refusal
	Principal policy.Principal
}

// door lets requests in, or not, and keeps what is behind it.
type door struct {
	handler  http.Handler
	rejected fault.Refusal
	told     policy.Principal
	header   http.Header // that came through
}

func newDoor(cfg policy.AuthConfig, tokens *policy.Tokens) *door {
	d := &door{}
	note := func(w http.ResponseWriter, r *http.Request, why fault.Refusal) {
		d.rejected = why
		refuse(w, r, why)
	}
	hooks := policy.Hooks{Authenticated: func(_ context.Context, p policy.Principal) { d.told = p }}
	d.handler = policy.AuthWith(cfg, tokens, note, hooks).Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { d.header = r.Header }))
	return d
}

// try sends a request with the lines of header, each "Name: value".
func (d *door) try(t *testing.T, target string, header ...string) (passed, *httptest.ResponseRecorder) {
	t.Helper()
	d.rejected, d.told, d.header = fault.Refusal{}, policy.Principal{}, nil
	r := httptest.NewRequestWithContext(t.Context(), "GET", target, nil)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, identified(r))
	if (w.Code == http.StatusOK) != (d.header != nil) {
		t.Errorf("%d, and a header of %v went on", w.Code, d.header)
	}
	if w.Code != http.StatusOK && (d.rejected.Policy != "auth" || d.rejected.Detail == "" || d.rejected.Status != w.Code) {
		t.Errorf("rejected by %+v", d.rejected)
	}
	return passed{w.Code, d.rejected.Reason, d.told}, w
}

func (d *door) want(t *testing.T, want passed, header ...string) {
	t.Helper()
	if got, _ := d.try(t, "/", header...); got != want {
		t.Errorf("with %.200q: %+v, want %+v", header, got, want)
	}
}

func by(method, name string) passed {
	return passed{http.StatusOK, "", policy.Principal{Name: name, Method: method}}
}

func refused(reason string) passed {
	if reason == "busy" || reason == "keys_unavailable" {
		return passed{Status: http.StatusServiceUnavailable, Reason: reason}
	}
	return passed{Status: http.StatusUnauthorized, Reason: reason}
}

// refusing is a door that all clients at once may knock at, and that refuses each
// of their tokens for that reason.
func refusing(t *testing.T, tokens *policy.Tokens, reason string) http.Handler {
	return policy.AuthWith(authConfig(policy.AuthConfig{}), tokens, func(w http.ResponseWriter, _ *http.Request, why fault.Refusal) {
		if why.Reason != reason {
			t.Errorf("rejected as %s", why.Reason)
		}
	}, policy.Hooks{}).Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let in") }))
}

const (
	ciKey  = "0123456789abcdef"
	opsKey = "ops:with:colons-and-more!"
)

func apiKeyConfig() policy.AuthConfig {
	return authConfig(policy.AuthConfig{APIKeys: fmt.Sprintf("ci:%s, ops:%s\nhashed:sha256:%X\n", ciKey, opsKey, sha256.Sum256([]byte("a key that nobody can read here")))})
}

func hash(password string, cost int) string {
	b, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func basicConfig() policy.AuthConfig {
	apache := "$2y$" + strings.TrimPrefix(hash("pass:word", bcrypt.MinCost), "$2a$")
	return authConfig(policy.AuthConfig{BasicUsers: "ann:" + hash("wonder", bcrypt.MinCost) + ",bob:" + apache + "\n"})
}

func basic(credentials string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
}
