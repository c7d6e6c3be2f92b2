package policy_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

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
	rejected policy.Rejection
	told     policy.Principal
	header   http.Header // that came through
}

func noAddr(*http.Request) netip.Addr { return netip.Addr{} }

func newDoor(cfg policy.AuthConfig, tokens *policy.Tokens) *door {
	d := &door{}
	wrap := policy.Auth(cfg, tokens, noAddr, func(w http.ResponseWriter, _ *http.Request, why policy.Rejection) {
		d.rejected = why
		w.WriteHeader(why.Status)
	}, func(_ context.Context, p policy.Principal) { d.told = p })
	d.handler = wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { d.header = r.Header }))
	return d
}

// try sends a request with the lines of header, each "Name: value".
func (d *door) try(t *testing.T, target string, header ...string) (passed, *httptest.ResponseRecorder) {
	t.Helper()
	d.rejected, d.told, d.header = policy.Rejection{}, policy.Principal{}, nil
	r := httptest.NewRequestWithContext(t.Context(), "GET", target, nil)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
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

func TestAuthIsOff(t *testing.T) {
	if policy.Auth(authConfig(policy.AuthConfig{}), policy.NewTokens(policy.TokenConfig{}), nil, nil, nil) != nil {
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

func TestAPIKeys(t *testing.T) {
	d := newDoor(apiKeyConfig(), nil)
	for name, test := range map[string]struct {
		header []string
		want   passed
	}{
		"plain":                  {[]string{"X-API-Key: " + ciKey}, by("api_key", "ci")},
		"with colons":            {[]string{"x-api-key: " + opsKey}, by("api_key", "ops")},
		"hashed":                 {[]string{"X-API-Key: a key that nobody can read here"}, by("api_key", "hashed")},
		"none":                   {nil, refused("missing")},
		"empty":                  {[]string{"X-API-Key: "}, refused("unknown_key")},
		"unknown":                {[]string{"X-API-Key: 0123456789abcdeX"}, refused("unknown_key")},
		"too short by one":       {[]string{"X-API-Key: 0123456789abcde"}, refused("unknown_key")},
		"more behind it":         {[]string{"X-API-Key: " + ciKey + "0"}, refused("unknown_key")},
		"in another case":        {[]string{"X-API-Key: " + strings.ToUpper(ciKey)}, refused("unknown_key")},
		"its name":               {[]string{"X-API-Key: ci"}, refused("unknown_key")},
		"name and key":           {[]string{"X-API-Key: ci:" + ciKey}, refused("unknown_key")},
		"the digest":             {[]string{fmt.Sprintf("X-API-Key: sha256:%x", sha256.Sum256([]byte("a key that nobody can read here")))}, refused("unknown_key")},
		"very long":              {[]string{"X-API-Key: " + strings.Repeat(ciKey, 1000)}, refused("unknown_key")},
		"twice":                  {[]string{"X-API-Key: " + ciKey, "X-API-Key: " + ciKey}, refused("malformed")},
		"wrong, then right":      {[]string{"X-API-Key: x", "X-API-Key: " + ciKey}, refused("malformed")},
		"in another field":       {[]string{"X_API_Key: " + ciKey, "Api-Key: " + ciKey}, refused("missing")},
		"as a bearer":            {[]string{"Authorization: Bearer " + ciKey}, refused("missing")},
		"another's credential":   {[]string{"X-API-Key: " + ciKey, "Authorization: Bearer x, y"}, by("api_key", "ci")},
		"two of another's, even": {[]string{"X-API-Key: " + ciKey, "Authorization: a", "Authorization: b"}, by("api_key", "ci")},
	} {
		t.Run(name, func(t *testing.T) { d.want(t, test.want, test.header...) })
	}
	long := strings.Repeat("x", 257)
	tooLong := newDoor(authConfig(policy.AuthConfig{APIKeys: fmt.Sprintf("x:sha256:%x", sha256.Sum256([]byte(long)))}), nil)
	tooLong.want(t, refused("unknown_key"), "X-API-Key: "+long)
	digestOfNothing := newDoor(authConfig(policy.AuthConfig{APIKeys: fmt.Sprintf("x:sha256:%x", sha256.Sum256(nil))}), nil)
	digestOfNothing.want(t, refused("unknown_key"), "X-API-Key: ")
}

func TestBasic(t *testing.T) {
	d := newDoor(basicConfig(), nil)
	for name, test := range map[string]struct {
		header []string
		want   passed
	}{
		"right":                    {[]string{basic("ann:wonder")}, by("basic", "ann")},
		"right again":              {[]string{basic("ann:wonder")}, by("basic", "ann")},
		"password with a colon":    {[]string{basic("bob:pass:word")}, by("basic", "bob")},
		"scheme in small letters":  {[]string{strings.Replace(basic("ann:wonder"), "Basic", "bASIC", 1)}, by("basic", "ann")},
		"several spaces":           {[]string{strings.Replace(basic("ann:wonder"), "Basic", "Basic  ", 1)}, by("basic", "ann")},
		"none":                     {nil, refused("missing")},
		"wrong password":           {[]string{basic("ann:wonde")}, refused("bad_password")},
		"wrong password again":     {[]string{basic("ann:wonde")}, refused("bad_password")},
		"no password":              {[]string{basic("ann:")}, refused("bad_password")},
		"a password with a NUL":    {[]string{basic("ann:wonder\x00wonder")}, refused("malformed")},
		"another's password":       {[]string{basic("bob:wonder")}, refused("bad_password")},
		"unknown user":             {[]string{basic("eve:wonder")}, refused("bad_password")},
		"unknown user, other one":  {[]string{basic("eve:pass:word")}, refused("bad_password")},
		"user in another case":     {[]string{basic("Ann:wonder")}, refused("bad_password")},
		"empty user":               {[]string{basic(":wonder")}, refused("bad_password")},
		"password too long":        {[]string{basic("ann:" + strings.Repeat("x", 73))}, refused("password_too_long")},
		"user too long":            {[]string{basic(strings.Repeat("x", 256) + ":x")}, refused("bad_password")},
		"without a colon":          {[]string{basic("ann")}, refused("malformed")},
		"scheme alone":             {[]string{"Authorization: Basic"}, refused("malformed")},
		"empty":                    {[]string{"Authorization: "}, refused("malformed")},
		"no base64":                {[]string{"Authorization: Basic ann:wonder"}, refused("malformed")},
		"no padding":               {[]string{"Authorization: Basic YW5uOndvbmRlcg"}, refused("malformed")},
		"stray bits":               {[]string{"Authorization: Basic YW5uOndvbmRlch=="}, refused("malformed")},
		"url alphabet":             {[]string{"Authorization: Basic _-_-"}, refused("malformed")},
		"two schemes":              {[]string{basic("ann:wonder") + ", Bearer x"}, refused("malformed")},
		"two lines":                {[]string{basic("ann:wonder"), basic("ann:wonder")}, refused("malformed")},
		"a tab behind the scheme":  {[]string{"Authorization: Basic\tYW5uOndvbmRlcg=="}, refused("malformed")},
		"scheme that is not known": {[]string{"Authorization: Digest username=ann"}, refused("missing")},
		"an API key":               {[]string{"X-API-Key: " + ciKey}, refused("missing")},
	} {
		t.Run(name, func(t *testing.T) { d.want(t, test.want, test.header...) })
	}
}

// A password that bcrypt would cut is not the one that it is cut to.
func TestBasicPasswordIsNotCut(t *testing.T) {
	password := strings.Repeat("x", 72)
	d := newDoor(authConfig(policy.AuthConfig{BasicUsers: "ann:" + hash(password, bcrypt.MinCost)}), nil)
	d.want(t, by("basic", "ann"), basic("ann:"+password))
	d.want(t, refused("password_too_long"), basic("ann:"+password+"y"))
}

func TestBasicIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, err := policy.NewBasicUsers("ann:" + hash("wonder", bcrypt.MinCost))
		if err != nil {
			t.Fatal(err)
		}
		ann := policy.Principal{Name: "ann", Method: "basic"}
		want := func(credentials string, p policy.Principal, reason string, after time.Duration) {
			t.Helper()
			start := time.Now()
			if got, why := u.Verify(t.Context(), credentials); got != p || why != reason || time.Since(start) != after {
				t.Errorf("%s: %+v %s after %v; want %+v %s after %v", credentials, got, why, time.Since(start), p, reason, after)
			}
		}
		want("ann:wonder", ann, "", 0)
		want("ann:blunder", policy.Principal{}, "bad_password", 0)
		want("eve:wonder", policy.Principal{}, "bad_password", 0)
		free := u.Occupy()
		want("ann:wonder", ann, "", 0)
		want("ann:blunder", policy.Principal{}, "bad_password", 0)
		want("eve:wonder", policy.Principal{}, "bad_password", 0)
		want("ann:thunder", policy.Principal{}, "busy", time.Second)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, reason := u.Verify(gone, "ann:thunder"); reason != "busy" {
			t.Errorf("a client that is gone gets %s", reason)
		}

		// The turn comes in time.
		time.AfterFunc(900*time.Millisecond, free)
		want("ann:thunder", policy.Principal{}, "bad_password", 900*time.Millisecond)

		// What is remembered ends.
		time.Sleep(5 * time.Minute)
		free = u.Occupy()
		want("ann:wonder", policy.Principal{}, "busy", time.Second)
		want("ann:blunder", policy.Principal{}, "busy", time.Second)
		free()
		want("ann:wonder", ann, "", 0)
	})
}

// One client that guesses does not keep others from having their passwords
// checked.
func TestBasicTurnsOfOneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, err := policy.NewBasicUsers("ann:" + hash("wonder", bcrypt.MinCost))
		if err != nil {
			t.Fatal(err)
		}
		guesser, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:0:1::1")
		free := u.Occupy()
		var all sync.WaitGroup
		var refused atomic.Int32
		for i := range 100 {
			all.Go(func() {
				if u.VerifyFrom(t.Context(), guesser, fmt.Sprintf("ann:guess %d", i)) == "busy" {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		if n := refused.Load(); n != 98 {
			t.Errorf("%d of 100 guesses were refused at once", n)
		}
		all.Go(func() {
			if reason := u.VerifyFrom(t.Context(), other, "ann:wonder"); reason != "" {
				t.Errorf("a user gets %s", reason)
			}
		})
		synctest.Wait()
		free()
		all.Wait()
		if reason := u.VerifyFrom(t.Context(), guesser, "ann:one more"); reason != "bad_password" {
			t.Errorf("the next guess gets %s", reason)
		}
	})
}

// Those who wait behind one with the same password need not have it compared.
func TestBasicIsComparedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, err := policy.NewBasicUsers("ann:" + hash("wonder", bcrypt.MinCost))
		if err != nil {
			t.Fatal(err)
		}
		free := u.Occupy()
		var all sync.WaitGroup
		var in atomic.Int32
		for range 100 {
			all.Go(func() {
				if _, reason := u.Verify(t.Context(), "ann:wonder"); reason == "" {
					in.Add(1)
				}
			})
		}
		synctest.Wait()
		free()
		all.Wait()
		if right, wrong := u.Remembered(); in.Load() != 100 || right != 1 || wrong != 0 {
			t.Errorf("%d of 100 came in, %d right and %d wrong passwords are remembered", in.Load(), right, wrong)
		}
	})
}

func TestBasicRemembersNoMoreThanItHasRoomFor(t *testing.T) {
	u, err := policy.NewBasicUsers("ann:" + hash("wonder", bcrypt.MinCost))
	if err != nil {
		t.Fatal(err)
	}
	u.MakeRoomFor(3)
	u.Verify(t.Context(), "ann:wonder")
	for i := range 9 {
		u.Verify(t.Context(), fmt.Sprint("ann:", i))
	}
	if right, wrong := u.Remembered(); right != 1 || wrong != 3 {
		t.Errorf("%d right and %d wrong passwords are remembered, want 1 and 3", right, wrong)
	}
}

// An attacker must not tell by the time which users there are, also when their
// hashes do not cost the same.
func TestUnknownUsersCostWhatKnownOnesDo(t *testing.T) {
	ann, bob := hash("a", bcrypt.MinCost), hash("b", bcrypt.MinCost+1)
	u, err := policy.NewBasicUsers("ann:" + ann + ",bob:" + bob)
	if err != nil {
		t.Fatal(err)
	}
	if u.HashFor("ann") != ann || u.HashFor("bob") != bob {
		t.Error("a user is compared with another's hash")
	}
	like := map[string]int{}
	for i := range 64 {
		name := fmt.Sprint("user", i)
		cost := u.HashFor(name)
		like[cost]++
		if u.HashFor(name) != cost {
			t.Errorf("%s costs what one user does, and then what another does", name)
		}
	}
	if len(like) != 2 || like[ann] == 0 || like[bob] == 0 {
		t.Errorf("unknown users do not cost what those that are known do: %v", like)
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

func TestExemptPaths(t *testing.T) {
	var paths policy.ExemptPaths
	if err := paths.UnmarshalText([]byte("/robots.txt, /public/*,/a/b/")); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]bool{
		"/robots.txt":                true,
		"/robots.txt?x=../admin":     true,
		"http://other/robots.txt":    true,
		"/public/":                   true,
		"/public/a":                  true,
		"/public/a/b.c/~d/":          true,
		"/public/...":                true,
		"/a/b/":                      true,
		"/":                          false,
		"/robots.txt/":               false,
		"/robots.txtx":               false,
		"/Robots.txt":                false,
		"/public":                    false,
		"/publicity":                 false,
		"/PUBLIC/a":                  false,
		"/a/b":                       false,
		"/a/b/c":                     false,
		"//public/a":                 false,
		"/public//a":                 false,
		"/public/../admin":           false,
		"/public/./a":                false,
		"/public/..":                 false,
		"/public/a/..":               false,
		"/public/%2e%2e/admin":       false,
		"/public/.%2E/admin":         false,
		"/public/..%2fadmin":         false,
		"/public/%252e%252e%252fx":   false,
		"/public/..%5cadmin":         false,
		`/public/..\admin`:           false,
		"/public/..;/admin":          false,
		"/public/;x=1/a":             false,
		"/public/%00":                false,
		"/public/%c0%ae%c0%ae/admin": false,
		"/public/\u2025/admin":       false,
		"/%70ublic/a":                false,
		"/robots%2etxt":              false,
		"/admin/../public/a":         false,
		"/public%2fa":                false,
		"*":                          false,
		"http://other":               false,
		"/public/a b":                false,
		"/public/%20":                false,
		"/public/a#b":                true, // no part of a request
	} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		if got := paths.Contain(u); got != want {
			t.Errorf("%s: %v, want %v", target, got, want)
		}
	}
	if policy.ExemptPaths(nil).Contain(&url.URL{Path: "/"}) {
		t.Error("no list contains /")
	}
}

func TestAuthTexts(t *testing.T) {
	for text, reason := range map[string]string{
		"/*":      "everything",
		"public":  "must begin with /",
		"":        "must begin with /",
		"/a,":     "must begin with /",
		"/a/*/b":  "behind the last /",
		"/a*":     "behind the last /",
		"/a/**":   "behind the last /",
		"/a//b":   "nothing between slashes",
		"//*":     "nothing between slashes",
		"/a/../b": "nothing between slashes",
		"/a/./*":  "nothing between slashes",
		"/%61":    "must be letters",
		"/a?b":    "must be letters",
		"/a;b":    "must be letters",
		"/\u00e9": "must be letters",
	} {
		if err := new(policy.ExemptPaths).UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("exempt %q: %v, want %q", text, err, reason)
		}
	}
	for text, ok := range map[string]bool{
		"X-API-Key": true, "x-forwarded-user": true, "Remote-User": true, "A1": true,
		"": false, "X_Key": false, "X Key": false, "X-": false, "-X": false, "X--Y": false, "X:": false, "X-\u00e9": false,
		"Authorization": false, "HOST": false, "Connection": false, "Cookie": false, "X-Forwarded-For": false, "Transfer-Encoding": false, "Set-Cookie": false, "Cache-Control": false, "Sec-Fetch-Mode": false, "Grpc-Status": false,
	} {
		if err := new(policy.AuthField).UnmarshalText([]byte(text)); (err == nil) != ok {
			t.Errorf("field %q: %v", text, err)
		}
	}
}

func TestAuthCheck(t *testing.T) {
	const secret = "s3cret"
	good := hash(secret, bcrypt.MinCost)
	costly := strings.Replace(good, "$04$", "$15$", 1)
	jwt := func(change func(*policy.TokenConfig)) policy.AuthConfig {
		cfg := authConfig(policy.AuthConfig{Token: policy.TokenConfig{
			JWKSURL: "https://issuer.example/keys", Issuers: policy.AuthNames{"a"}, Audience: policy.AuthNames{"b"},
		}})
		change(&cfg.Token)
		return cfg
	}
	for name, test := range map[string]struct {
		cfg  policy.AuthConfig
		want []string // each of a line
	}{
		"zero":               {policy.AuthConfig{}, nil},
		"defaults":           {authConfig(policy.AuthConfig{}), nil},
		"API keys":           {apiKeyConfig(), nil},
		"users":              {basicConfig(), nil},
		"tokens":             {jwt(func(*policy.TokenConfig) {}), nil},
		"tokens for anybody": {jwt(func(c *policy.TokenConfig) { c.Audience = policy.AuthNames{"*"} }), nil},
		"bad API keys": {
			authConfig(policy.AuthConfig{APIKeys: strings.Join([]string{
				secret, "a:" + secret, ":" + ciKey, "b:", "c:" + ciKey, "c:" + opsKey, "d:" + ciKey, "e:sha256:" + secret, "f:sha256:" + strings.Repeat("g", 64),
				"", "g:" + strings.Repeat("x", 257), "h h:" + opsKey, "i:0123456789 abcdef", "j:0123456789\u00e9abcdef", strings.Repeat("k", 256) + ":" + opsKey, "l:" + opsKey,
			}, ",")}),
			[]string{
				"item 1: must be a name, a colon", "item 2: its key must have 16 to 256", "item 3: its name", "item 4: its key must have 16", "item 6: must have a name of its own",
				"item 7: must have a key of its own", "item 8: behind sha256:", "item 9: behind sha256:", "item 10: must be a name, a colon", "item 11: its key must have 16 to 256",
				"item 12: its name", "item 13: its key must be visible", "item 14: its key must be visible", "item 15: its name",
			},
		},
		"no API keys":  {authConfig(policy.AuthConfig{APIKeys: " \n\n"}), []string{"AUTH_API_KEYS: must have an item"}},
		"only a comma": {authConfig(policy.AuthConfig{APIKeys: ","}), []string{"item 1: must be a name, a colon", "item 2: must be a name, a colon"}},
		"bad users": {
			authConfig(policy.AuthConfig{BasicUsers: strings.Join([]string{
				"ann:" + good, "bob:" + secret, "ann:" + good, "cid:" + costly, "dan:" + good[:59], "eve:" + good + "x", "fay:$1$" + good[4:], "gil:" + strings.Replace(good, "$04$", "$03$", 1), "hal:",
				"ida:{SHA}" + good,
			}, "\n")}),
			[]string{
				"AUTH_BASIC_USERS: item 2: must have a bcrypt hash", "item 3: must have a name of its own", "item 4: its bcrypt cost must be 4 to 14", "item 5: must have a bcrypt",
				"item 6: must have a bcrypt", "item 7: must have a bcrypt", "item 8: its bcrypt cost", "item 9: must have a bcrypt", "item 10: must have a bcrypt",
			},
		},
		"one field for two": {
			policy.AuthConfig{APIKeyHeader: "X-Key", PrincipalHeader: "x-key", MethodHeader: "X-KEY"},
			[]string{`AUTH_PRINCIPAL_HEADER="x-key": must be another one than AUTH_API_KEY_HEADER`, `AUTH_METHOD_HEADER="X-KEY": must be another one than AUTH_PRINCIPAL_HEADER`},
		},
		"plain http":          {jwt(func(c *policy.TokenConfig) { c.JWKSURL = "http://issuer.example/" }), []string{"AUTH_JWT_JWKS_URL: must be https"}},
		"no issuer":           {jwt(func(c *policy.TokenConfig) { c.Issuers = nil }), []string{"AUTH_JWT_ISSUER: required by AUTH_JWT_JWKS_URL"}},
		"any issuer":          {jwt(func(c *policy.TokenConfig) { c.Issuers = policy.AuthNames{"*"} }), []string{"AUTH_JWT_ISSUER: must name issuers"}},
		"no audience":         {jwt(func(c *policy.TokenConfig) { c.Audience = nil }), []string{"AUTH_JWT_AUDIENCE: required by AUTH_JWT_JWKS_URL"}},
		"any audience or one": {jwt(func(c *policy.TokenConfig) { c.Audience = policy.AuthNames{"a", "*"} }), []string{"AUTH_JWT_AUDIENCE: * must stand alone"}},
		"an empty audience":   {jwt(func(c *policy.TokenConfig) { c.Audience = policy.AuthNames{"a", ""} }), []string{"AUTH_JWT_AUDIENCE: must have no empty name"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			if err := test.cfg.Check(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if len(got) != len(test.want) {
				t.Fatalf("faults %q, want %q", got, test.want)
			}
			for i, line := range got {
				if !strings.Contains(line, test.want[i]) || strings.Contains(line, secret) || strings.Contains(line, ciKey) {
					t.Errorf("fault %q, want %q", line, test.want[i])
				}
			}
		})
	}
}

// Whoever is in a list has a name and a digest of their own, and its faults tell
// no secret.
func FuzzAPIKeys(f *testing.F) {
	f.Add(apiKeyConfig().APIKeys)
	f.Add("a:sha256:00,\n,b:" + ciKey)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := policy.ParseAPIKeys(text)
		names := map[string]bool{}
		for _, name := range keys {
			if names[name] || name == "" || strings.ContainsAny(name, ":, \r\n") {
				t.Errorf("name %q", name)
			}
			names[name] = true
		}
		if err == nil {
			if len(keys) == 0 {
				t.Error("neither a key nor an error")
			}
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.HasPrefix(line, "item ") && line != "must have an item" || len(line) > 100 {
				t.Errorf("error %q", line)
			}
		}
	})
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
		d.handler.ServeHTTP(w, r)
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

// A path that is exempt means what it says.
func FuzzExemptPaths(f *testing.F) {
	for _, p := range []string{"/public/a", "/public/../x", "/public/%2e%2e", "/robots.txt", "//public/a", "/public/..;/x"} {
		f.Add(p)
	}
	paths := policy.ExemptPaths{"/robots.txt", "/public/*"}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !paths.Contain(u) {
			return
		}
		decoded := u.Path
		for range 3 {
			if next, err := url.PathUnescape(decoded); err == nil {
				decoded = next
			}
		}
		clean := path.Clean(decoded)
		if clean != strings.TrimSuffix(decoded, "/") || clean != "/robots.txt" && clean != "/public" && !strings.HasPrefix(clean, "/public/") || strings.ContainsAny(decoded, "\\;") {
			t.Errorf("%q, which is %q to some, is exempt", target, clean)
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
			wrap := policy.Auth(test.cfg, test.tokens, noAddr, func(w http.ResponseWriter, _ *http.Request, why policy.Rejection) { w.WriteHeader(why.Status) }, nil)
			h := wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			field, value, _ := strings.Cut(test.header, ": ")
			field = http.CanonicalHeaderKey(field)
			r := httptest.NewRequest("GET", "/", nil)
			for n := range 10 {
				r.Header.Set(fmt.Sprint("X-Other-", n), "x")
			}
			values := []string{value}
			b.ReportAllocs()
			for b.Loop() {
				r.Header[field] = values
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != test.want {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
