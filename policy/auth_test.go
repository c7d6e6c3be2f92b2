package policy_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/field"
	"spangate/policy"
)

func TestAuthIsOff(t *testing.T) {
	if policy.NewAuth(authConfig(policy.AuthConfig{}), nil, nil, policy.Hooks{}) != nil {
		t.Error("without credentials it is not nil")
	}
}

func TestUnreadableCredentialsLetNobodyIn(t *testing.T) {
	for name, cfg := range map[string]policy.AuthConfig{
		"API keys": {APIKeys: " , :"},
		"users":    {BasicUsers: "ann"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(authConfig(cfg), nil)
			for _, header := range []string{"X-Other: 1", "X-API-Key: ", basic("ann:"), basic(":")} {
				if got, _ := d.try(t, "/", header); got.Status != http.StatusUnauthorized {
					t.Errorf("with %q: %+v", header, got)
				}
			}
		})
	}
}

func TestChallenges(t *testing.T) {
	i := newIssuer(t, rsaSigner)
	all := authConfig(policy.AuthConfig{APIKeys: apiKeyConfig().APIKeys, BasicUsers: basicConfig().BasicUsers, Token: i.config()})
	const bearer, basicScheme, apiKey = `Bearer realm="spangate"`, `Basic realm="spangate", charset="UTF-8"`, `ApiKey realm="spangate", header="X-Api-Key"`
	for name, test := range map[string]struct {
		cfg    policy.AuthConfig
		tokens *policy.Tokens
		header string
		want   []string
	}{
		"API keys":       {apiKeyConfig(), nil, "", []string{apiKey}},
		"basic":          {basicConfig(), nil, basic("ann:x"), []string{basicScheme}},
		"tokens":         {authConfig(policy.AuthConfig{}), i.tokens(t), "", []string{bearer}},
		"all":            {all, i.tokens(t), "", []string{bearer, basicScheme, apiKey}},
		"a wrong token":  {all, i.tokens(t), "Authorization: Bearer x", []string{bearer + `, error="invalid_token", error_description="The token is malformed."`, basicScheme, apiKey}},
		"a large token":  {all, i.tokens(t), "Authorization: Bearer " + strings.Repeat("x", 8193), []string{bearer + `, error="invalid_token", error_description="The token is too large."`, basicScheme, apiKey}},
		"another scheme": {all, i.tokens(t), "Authorization: Digest x", []string{bearer, basicScheme, apiKey}},
	} {
		t.Run(name, func(t *testing.T) {
			got, w := newDoor(test.cfg, test.tokens).try(t, "/", test.header)
			if got.Status != http.StatusUnauthorized {
				t.Errorf("%+v", got)
			}
			if diff := cmp.Diff(test.want, w.Header()["Www-Authenticate"]); diff != "" {
				t.Errorf("WWW-Authenticate (-want +got):\n%s", diff)
			}
		})
	}
}

// What is right by one method does not carry in what is wrong by another: the
// backend could take it for verified.
func TestSeveralCredentials(t *testing.T) {
	i := newIssuer(t, rsaSigner)
	cfg := authConfig(policy.AuthConfig{APIKeys: apiKeyConfig().APIKeys, BasicUsers: basicConfig().BasicUsers})
	d := newDoor(cfg, i.tokens(t))
	right, forged := i.token(nil, nil), i.token(header{"alg": "none"}, nil)
	for name, test := range map[string]struct {
		header []string
		want   passed
	}{
		"any one: key":              {[]string{"X-API-Key: " + ciKey}, by("api_key", "ci")},
		"any one: password":         {[]string{basic("ann:wonder")}, by("basic", "ann")},
		"any one: token":            {[]string{"Authorization: Bearer " + right}, by("jwt", "alice")},
		"key and token":             {[]string{"X-API-Key: " + ciKey, "Authorization: Bearer " + right}, by("jwt", "alice")},
		"key and password":          {[]string{"X-API-Key: " + ciKey, basic("ann:wonder")}, by("basic", "ann")},
		"key and forged token":      {[]string{"X-API-Key: " + ciKey, "Authorization: Bearer " + forged}, refused("token_algorithm")},
		"key and wrong password":    {[]string{"X-API-Key: " + ciKey, basic("ann:x")}, refused("bad_password")},
		"key and two tokens":        {[]string{"X-API-Key: " + ciKey, "Authorization: Bearer " + right, "Authorization: Bearer " + forged}, refused("malformed")},
		"key and a hidden token":    {[]string{"X-API-Key: " + ciKey, "Authorization: Bearer\t" + forged}, refused("malformed")},
		"wrong key and token":       {[]string{"X-API-Key: 0123456789abcdeX", "Authorization: Bearer " + right}, refused("unknown_key")},
		"key and a scheme for none": {[]string{"X-API-Key: " + ciKey, "Authorization: AWS4-HMAC-SHA256 Credential=x"}, by("api_key", "ci")},
	} {
		t.Run(name, func(t *testing.T) { d.want(t, test.want, test.header...) })
	}
}

func TestWhatGoesOn(t *testing.T) {
	i := newIssuer(t, rsaSigner)
	cfg := authConfig(policy.AuthConfig{APIKeys: apiKeyConfig().APIKeys, BasicUsers: basicConfig().BasicUsers, ExemptPaths: policy.ExemptPaths{"/open"}})
	d := newDoor(cfg, i.tokens(t))
	token := i.token(nil, claims{"sub": "a b,c\r\nX-Admin: \u00e4%"})
	for name, test := range map[string]struct {
		target string
		header []string
		want   http.Header
	}{
		"the API key stays here": {
			"/", []string{"X-API-Key: " + ciKey, "Accept: a"},
			http.Header{"Accept": {"a"}, "X-Auth-Principal": {"ci"}, "X-Auth-Method": {"api_key"}},
		},
		"another's Authorization goes on": {
			"/", []string{"X-API-Key: " + ciKey, "Authorization: Digest x"},
			http.Header{"Authorization": {"Digest x"}, "X-Auth-Principal": {"ci"}, "X-Auth-Method": {"api_key"}},
		},
		"the password stays here": {
			"/", []string{basic("ann:wonder")},
			http.Header{"X-Auth-Principal": {"ann"}, "X-Auth-Method": {"basic"}},
		},
		"the token goes on": {
			"/", []string{"Authorization: Bearer " + token},
			http.Header{"Authorization": {"Bearer " + token}, "X-Auth-Principal": {"a%20b%2Cc%0D%0AX-Admin:%20%C3%A4%25"}, "X-Auth-Method": {"jwt"}},
		},
		"a principal of the client's does not": {
			"/", []string{
				"X-API-Key: " + ciKey, "X-Auth-Principal: root", "X-Auth-Principal: admin", "x_auth_principal: root", "X-Auth_Principal: root",
				"X-AUTH-METHOD: jwt", "X_Auth_Method: jwt", "X.Auth.Principal: root", "X-Auth-Principals: kept", "Xx-Auth-Principal: kept",
			},
			http.Header{"X-Auth-Principal": {"ci"}, "X-Auth-Method": {"api_key"}, "X-Auth-Principals": {"kept"}, "Xx-Auth-Principal": {"kept"}},
		},
		"an exempt path passes without what is for this door": {
			"/open", []string{"X-API-Key: wrong", basic("ann:wrong"), "Accept: a"},
			http.Header{"Accept": {"a"}},
		},
		"an exempt path passes with a token": {
			"/open", []string{"Authorization: Bearer " + token},
			http.Header{"Authorization": {"Bearer " + token}},
		},
		"an exempt path has no principal": {
			"/open?x=1", []string{"X-Auth-Principal: root", "X_Auth_Method: jwt"},
			http.Header{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := d.try(t, test.target, test.header...); got.Status != http.StatusOK {
				t.Fatalf("%+v", got)
			}
			if diff := cmp.Diff(test.want, d.header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFieldValue(t *testing.T) {
	for name, want := range map[string]string{
		"":                   "",
		"alice":              "alice",
		"auth0|507f1f77bcf":  "auth0|507f1f77bcf",
		"a.b+c@example.com":  "a.b+c@example.com",
		"https://spiffe/x~y": "https://spiffe/x~y",
		"100%":               "100%25",
		"a b\tc":             "a%20b%09c",
		"a\r\nSet-Cookie: x": "a%0D%0ASet-Cookie:%20x",
		"alice,admin;q=1":    "alice%2Cadmin%3Bq=1",
		`"x"\y`:              "%22x%22%5Cy",
		"\u00e9\x00\x7f\xff": "%C3%A9%00%7F%FF",
	} {
		if got := policy.FieldValue(name); got != want {
			t.Errorf("FieldValue(%q) = %q, want %q", name, got, want)
		}
	}
}

// Nothing but the right name and password lets in, whatever stands in the field.
func FuzzAuthorization(f *testing.F) {
	cfg := basicConfig()
	cfg.APIKeys = apiKeyConfig().APIKeys
	for _, line := range []string{basic("ann:wonder"), basic("ann:x"), basic("bob:pass:word"), "Authorization: Basic \x00", "Authorization: Bearer x", "Authorization: basic =", "Authorization: "} {
		f.Add(strings.TrimPrefix(line, "Authorization: "), ciKey)
	}
	f.Fuzz(func(t *testing.T, authorization, key string) {
		d := newDoor(cfg, nil)
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		if authorization != "" {
			r.Header["Authorization"] = []string{authorization}
		}
		if key != "" {
			r.Header["X-Api-Key"] = []string{key}
		}
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, identified(r))
		scheme, credentials, _ := strings.Cut(authorization, " ")
		text, _ := base64.StdEncoding.DecodeString(strings.Trim(credentials, " "))
		isUser := strings.EqualFold(scheme, "basic") && slices.Contains([]string{"ann:wonder", "bob:pass:word"}, string(text))
		isKey := slices.Contains([]string{ciKey, opsKey, "a key that nobody can read here"}, key)
		if w.Code == http.StatusOK && (!isUser && !isKey || key != "" && !isKey || strings.EqualFold(scheme, "basic") && !isUser) {
			t.Errorf("%q and %q let %+v in", authorization, key, d.told)
		}
		if d.header["X-Api-Key"] != nil || isUser && d.header["Authorization"] != nil {
			t.Errorf("%v went on", d.header)
		}
	})
}

func FuzzFieldValue(f *testing.F) {
	f.Add("a b,\r\n%")
	f.Fuzz(func(t *testing.T, name string) {
		value := policy.FieldValue(name)
		if strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' || c > '~' || c == ',' }) {
			t.Errorf("%q becomes %q", name, value)
		}
		if back, err := url.PathUnescape(value); back != name || err != nil {
			t.Errorf("%q becomes %q and that %q, %v", name, value, back, err)
		}
	})
}

func BenchmarkAuth(b *testing.B) {
	i := newIssuer(b, rsaSigner)
	tokens := i.tokens(b)
	for name, test := range map[string]struct {
		cfg    policy.AuthConfig
		tokens *policy.Tokens
		header string
		want   int
	}{
		"api key":           {apiKeyConfig(), nil, "X-API-Key: " + ciKey, http.StatusOK},
		"unknown api key":   {apiKeyConfig(), nil, "X-API-Key: 0123456789abcdeX", http.StatusUnauthorized},
		"basic, remembered": {basicConfig(), nil, basic("ann:wonder"), http.StatusOK},
		"token, remembered": {authConfig(policy.AuthConfig{}), tokens, "Authorization: Bearer " + i.token(nil, nil), http.StatusOK},
	} {
		b.Run(name, func(b *testing.B) {
			h := policy.AuthWith(test.cfg, test.tokens, refuse, policy.Hooks{}).Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			name, value, _ := strings.Cut(test.header, ": ")
			name = http.CanonicalHeaderKey(name)
			r := identified(httptest.NewRequest("GET", "/", nil))
			for n := range 10 {
				r.Header.Set(fmt.Sprint("X-Other-", n), "x")
			}
			values := []string{value}
			b.ReportAllocs()
			for b.Loop() {
				r.Header[name] = values
				*handler.AnswerOf(r) = field.Answer{}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != test.want {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
