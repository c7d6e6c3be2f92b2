package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// Keys of an issuer that are of no use are named in the log, with the reason.
func TestKeysThatAreIgnored(t *testing.T) {
	t.Parallel()
	const good = `{"kty":"OKP","crv":"Ed25519","kid":"one","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[%s,{"kty":"oct","kid":"shared"},{"kty":"RSA","kid":"short","n":"AQAB","e":"AQAB"}]}`, good)
	}))
	t.Cleanup(issuer.Close)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "AUTH_JWT_JWKS_URL="+issuer.URL, "AUTH_JWT_ISSUER=https://issuer.test/", "AUTH_JWT_AUDIENCE=shop")
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
	hash, err := bcrypt.GenerateFromPassword([]byte(longest), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "AUTH_BASIC_USERS=me:"+string(hash))
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
