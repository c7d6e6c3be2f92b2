package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"spangate/telemetry/otlptest"
)

// front is a backend of the program behind its policies. It answers with what
// policies have done to a request, in the field Got, and below /own with fields
// that are theirs; below /wait it does so once the test ends.
type front struct {
	*httptest.Server
	reached atomic.Int64

	mu       sync.Mutex
	received []http.Header // without what is of the attempt alone
}

func newFront(t *testing.T) *front {
	f := &front{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.reached.Add(1)
		got := r.Header.Clone()
		got.Del("Traceparent")
		f.mu.Lock()
		f.received = append(f.received, got)
		f.mu.Unlock()
		words := []string{r.Method}
		for _, name := range []string{"X-Auth-Principal", "X_auth_principal", "X-Auth-Method", "X-Api-Key", "Authorization", "X-Request-Id"} {
			for _, value := range got[name] {
				if name == "Authorization" {
					value, _, _ = strings.Cut(value, " ")
				}
				words = append(words, name+"="+value)
			}
		}
		w.Header().Set("Got", strings.Join(words, " "))
		if r.URL.Path == "/own" {
			for _, field := range []string{"Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: true", "Ratelimit: backend", "Ratelimit-Policy: backend", "X-Request-Id: backend", "Vary: Accept", "Www-Authenticate: backend"} {
				name, value, _ := strings.Cut(field, ": ")
				w.Header().Set(name, value)
			}
		}
		if r.URL.Path == "/wait" {
			<-r.Context().Done()
		}
		io.Copy(io.Discard, r.Body)
	}))
	t.Cleanup(f.Close)
	return f
}

// all returns the headers of the requests so far.
func (f *front) all() []http.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.received)
}

// knock is a request at the program's door.
type knock struct {
	method, target string // GET / unless given
	header         []string
	body           io.Reader
	times          int // 1 unless given
}

// policyFields are those of a response that policies write, and what [front]
// answers.
var policyFields = []string{
	"Retry-After", "Www-Authenticate", "Ratelimit-Policy", "Ratelimit", "Vary", "X-Request-Id",
	"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
	"Access-Control-Expose-Headers", "Access-Control-Max-Age", "Access-Control-Allow-Private-Network", "Got",
}

var (
	secondsLeft = regexp.MustCompile(`;t=(\d+)`)
	madeID      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
)

// knock returns the response as text: its status, what its body says of that,
// and the fields of policies. Times and the ids that are made are left out.
// It also returns the trace id that the body names.
func (p *program) knock(t *testing.T, k knock) (text, traceID string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), k.method, "http://"+p.addr+"/"+strings.TrimPrefix(k.target, "/"), k.body)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range k.header {
		name, value, _ := strings.Cut(field, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header[name] = append(r.Header[name], value)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Sprintln(resp.StatusCode)
	if resp.Header.Get("Content-Type") == "application/problem+json" {
		var problem struct {
			Title, Detail string
			Status        int
			TraceID       string `json:"trace_id"`
		}
		if err := json.Unmarshal(body, &problem); err != nil {
			t.Fatalf("body %q: %v", body, err)
		}
		if problem.Status != resp.StatusCode || problem.Title != http.StatusText(resp.StatusCode) || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("status %d, Cache-Control %q and body %q", resp.StatusCode, resp.Header.Get("Cache-Control"), body)
		}
		text, traceID = fmt.Sprintf("%d %s\n", resp.StatusCode, problem.Detail), problem.TraceID
	}
	until := ""
	for _, name := range policyFields {
		for _, value := range resp.Header[name] {
			if name == "Ratelimit" && resp.StatusCode == http.StatusTooManyRequests {
				if left := secondsLeft.FindStringSubmatch(value); left == nil || left[1] != resp.Header.Get("Retry-After") {
					t.Errorf("RateLimit is %q, Retry-After %q: they must agree", value, resp.Header.Get("Retry-After"))
				}
			}
			if name == "Retry-After" && resp.StatusCode == http.StatusTooManyRequests {
				until, value = value, "T"
			}
			value = madeID.ReplaceAllString(secondsLeft.ReplaceAllString(value, ";t=T"), "made")
			text += fmt.Sprintf("  %s: %s\n", name, value)
		}
	}
	if until == "0" {
		t.Error("Retry-After is 0")
	}
	return text, traceID
}

// knocks makes the requests one after the other and returns all responses, and
// the trace id that the last one names.
func (p *program) knocks(t *testing.T, all []knock) (text, traceID string) {
	t.Helper()
	for _, k := range all {
		if k.method == "" {
			k.method = "GET"
		}
		for range max(k.times, 1) {
			var one string
			one, traceID = p.knock(t, k)
			text += one
		}
	}
	return text, traceID
}

func first(text, _ string) string { return text }

// preflightOf asks whether a page may send a request of the method.
func preflightOf(method string) knock {
	return knock{method: "OPTIONS", header: []string{aPage, "Access-Control-Request-Method: " + method}}
}

const (
	apiKey   = "0123456789abcdef"
	basicMe  = "Authorization: Basic bWU6b3BlbiBzZXNhbWU=" // me:open sesame
	basicNot = "Authorization: Basic bWU6YWJyYWNhZGFicmE="
	aPage    = "Origin: https://app.test"
)

// policyTree is the spans with what policies have to do with them.
func (p *program) policyTree() string {
	return madeID.ReplaceAllString(otlptest.Tree(p.collector.Spans(), "http.response.status_code", "error.type",
		"spangate.policy.rejection", "spangate.policy.reason", "enduser.id", "spangate.auth.method", "spangate.request.id",
		"spangate.rate_limit.result", "spangate.rate_limit.policy", "spangate.rate_limit.limit", "spangate.rate_limit.remaining",
		"spangate.rate_limit.store", "spangate.rate_limit.key_source"), "made")
}

// decisions are the counters of policies. What their attributes' names begin
// with is left out.
func (p *program) decisions() (text string) {
	for _, m := range p.collector.Metrics() {
		if m.Name != "spangate.policy.rejections" && m.Name != "spangate.rate_limit.decisions" {
			continue
		}
		for _, point := range m.Points {
			namespace := m.Name[:strings.LastIndexByte(m.Name, '.')+1]
			text += fmt.Sprintf("%s %s %v\n", strings.TrimPrefix(m.Name, "spangate."),
				strings.ReplaceAll(fmt.Sprint(point.Attributes), namespace, ""), point.Value)
		}
	}
	return text
}

// tokenIssuer is a server of the key that its tokens are signed with.
type tokenIssuer struct {
	*httptest.Server
	key  ed25519.PrivateKey
	down atomic.Bool // it breaks connections off
}

func newTokenIssuer(t *testing.T) *tokenIssuer {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	i := &tokenIssuer{key: key}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if i.down.Load() {
			panic(http.ErrAbortHandler)
		}
		x := base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","use":"sig","alg":"EdDSA","x":%q}]}`, x)
	}))
	t.Cleanup(i.Close)
	return i
}

// environ lets in what the issuer says.
func (i *tokenIssuer) environ() []string {
	return []string{"AUTH_JWT_JWKS_URL=" + i.URL, "AUTH_JWT_ISSUER=https://issuer.test/", "AUTH_JWT_AUDIENCE=shop"}
}

// bearer returns the field with a token that is right but for the claims, or
// the kid, that are given, by name and value. A method other than nil is what
// somebody signs it with who knows the public key alone.
func (i *tokenIssuer) bearer(method jwt.SigningMethod, changes ...any) string {
	claims := jwt.MapClaims{"iss": "https://issuer.test/", "aud": "shop", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix()}
	var key any = i.key
	switch method {
	case nil:
		method = jwt.SigningMethodEdDSA
	case jwt.SigningMethodNone:
		key = jwt.UnsafeAllowNoneSignatureType
	case jwt.SigningMethodHS256:
		key = []byte(i.key.Public().(ed25519.PublicKey))
	}
	token := jwt.New(method)
	token.Header["kid"] = "one"
	for n := 0; n < len(changes); n += 2 {
		if name := changes[n].(string); name == "kid" {
			token.Header["kid"] = changes[n+1]
		} else {
			claims[name] = changes[n+1]
		}
	}
	token.Claims = claims
	text, err := token.SignedString(key)
	if err != nil {
		panic(err)
	}
	return "Authorization: Bearer " + text
}

// checkPolicies compares both.
func (p *program) checkPolicies(t *testing.T, wantTree, wantCounted string) {
	t.Helper()
	if diff := cmp.Diff(wantTree, p.policyTree()); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantCounted, p.decisions()); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// hashed is a password as AUTH_BASIC_USERS takes it.
func hashed(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// doorLine is what a line of the access log says of policies.
func doorLine(line map[string]any) string {
	words := []string{fmt.Sprint(line["status"])}
	for _, name := range []string{"policy", "reason", "principal", "auth", "request_id", "error_type"} {
		if value, ok := line[name]; ok {
			words = append(words, fmt.Sprintf("%s=%v", name, value))
		}
	}
	return madeID.ReplaceAllString(strings.Join(words, " "), "made")
}
