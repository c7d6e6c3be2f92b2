package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Keys of an issuer that are of no use are named in the log, with the reason.
func TestKeysThatAreIgnored(t *testing.T) {
	t.Parallel()
	const good = `{"kty":"OKP","crv":"Ed25519","kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	issuer := plainBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[%s,{"kty":"oct","kid":"shared"},{"kty":"RSA","kid":"short","n":"AQAB","e":"AQAB"}]}`, good)
	})
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "AUTH_JWT_JWKS_URL="+issuer, "AUTH_JWT_ISSUER=https://issuer.test/", "AUTH_JWT_AUDIENCE=shop")
	p.await("keys of tokens are ignored")
	line := p.line(t, "keys of tokens are ignored")
	want := "key 2 is ignored: its type is \"oct\" (its id is \"shared\")\nkey 3 is ignored: it has 17 bits, and not 2048 to 8192 (its id is \"short\")"
	if line["level"] != "WARN" || line["keys"] != 2.0 || line["error"] != want {
		t.Errorf("said %v, want the two keys and why: %s", line, want)
	}
}

// A password of which bcrypt would not see the end is refused, and says so.
func TestPasswordsThatAreTooLong(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("x", 72)
	hash := hashed(t, longest)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "AUTH_BASIC_USERS=me:"+hash)
	for password, want := range map[string]string{
		longest:       "200\n",
		longest + "y": "401 The password is longer than the 72 bytes that are looked at.\n",
		longest[1:]:   "401 The user or the password is wrong.\n",
	} {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth("me", password)
		got, _ := p.knock(t, knock{method: "GET", header: []string{"Authorization: " + r.Header.Get("Authorization")}})
		if !strings.HasPrefix(got, want) {
			t.Errorf("a password of %d bytes is answered %q, want %q", len(password), got, want)
		}
	}
	p.stop()
	var reasons []string
	for _, line := range p.log.requests(t) {
		if reason, ok := line["reason"].(string); ok {
			reasons = append(reasons, reason)
		}
	}
	if !strings.Contains(fmt.Sprint(reasons), "password_too_long") {
		t.Errorf("the log has the reasons %q", reasons)
	}
}

// TestTokensWithoutKeys starts while the issuer cannot be reached: nobody can
// tell whether a token is right until it can.
func TestTokensWithoutKeys(t *testing.T) {
	t.Parallel()
	backend, issuer := newFront(t), newTokenIssuer(t)
	issuer.down.Store(true)
	p := start(t, append(issuer.environ(), "BACKENDS="+backend.URL, "PROBE_MODE=off", "REQUEST_ID_HEADER=off")...)
	p.await("the keys of tokens could not be fetched")
	token := []knock{{header: []string{issuer.bearer(nil)}}}
	before, _ := p.knocks(t, token)
	issuer.down.Store(false)
	p.await("keys of tokens fetched")
	after, _ := p.knocks(t, token)
	p.stop()
	want := "503 The token cannot be verified at the moment.\n" +
		"  Retry-After: 5\n" +
		"200\n" +
		"  Got: GET X-Auth-Principal=alice X-Auth-Method=jwt Authorization=Bearer\n"
	if diff := cmp.Diff(want, before+after); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
	want = "GET SERVER Error http.response.status_code=503 error.type=503 spangate.policy.rejection=auth spangate.policy.reason=keys_unavailable\n" +
		"GET SERVER Unset http.response.status_code=200 enduser.id=alice spangate.auth.method=jwt\n" +
		"  GET CLIENT Unset http.response.status_code=200\n"
	p.checkPolicies(t, want, "policy.rejections map[reason:keys_unavailable rejection:auth] 1\n")
}
