package rewrite

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/fault"
)

type configured struct {
	Config
	Path Path
}

func load(t testing.TB, environ ...string) (v configured) {
	t.Helper()
	if _, _, err := config.Load(&v, environ); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRewriter(t *testing.T) {
	v := load(t, "STRIP=/v1", "REQUEST_HEADERS=X-Path: {path}{?}, -Cookie", "RESPONSE_HEADERS=X-Path: {path}, -Server, +Vary: Accept")
	var seen *http.Request
	over := New(v.Config, v.Path, facts(nil)).Over(roundTripper(func(r *http.Request) (*http.Response, error) {
		seen = r.Clone(r.Context())
		r.URL.RawPath = "/changed" // as a backend's address does
		return &http.Response{Request: seen, Header: http.Header{"Location": {"/b"}, "Server": {"x"}, "Vary": {"Cookie"}}}, nil
	}))
	resp, err := over.RoundTrip(sent(identified(t, "GET", "/v1/a?q", "Cookie", "x", "Accept", "*/*")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("/a?q", seen.URL.RequestURI()); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(http.Header{"Accept": {"*/*"}, "X-Path": {"/v1/a?q"}, "X-Forwarded-Prefix": {"/v1"}}, seen.Header); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(http.Header{"Location": {"/v1/b"}, "X-Path": {"/v1/a"}, "Vary": {"Cookie", "Accept"}}, resp.Header); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
}

func TestResponses(t *testing.T) {
	for _, test := range []struct {
		environ []string
		want    string
	}{
		{[]string{"STRIP=/v1"}, "/v1/b"},
		{[]string{"STRIP=/v1", "REWRITE_RESPONSES=always"}, "/v1/b"},
		{[]string{"STRIP=/v1", "REWRITE_RESPONSES=off"}, "/b"},
		{[]string{"REQUEST_HEADERS=-A"}, "/b"},
	} {
		v := load(t, test.environ...)
		resp, err := New(v.Config, v.Path, Facts{}).Over(roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{Request: r, Header: http.Header{"Location": {"/b"}}}, nil
		})).RoundTrip(sent(identified(t, "GET", "/v1/a")))
		if err != nil || resp.Header["Location"][0] != test.want {
			t.Errorf("%q: %q, %v", test.environ, resp.Header, err)
		}
	}
}

func TestNothingToRewrite(t *testing.T) {
	v := load(t, "SECURITY_HEADERS=on")
	next := http.DefaultTransport
	if rw := New(v.Config, v.Path, Facts{}); rw != nil || rw.Over(next) != next {
		t.Error("there is a rewriter for nothing")
	}
	if SecurityHeaders(load(t).Config) != nil {
		t.Error("the preset is on")
	}
	header := http.Header{"A": {"1"}}
	(*Rewriter)(nil).Answer(header, nil)
	if len(header) != 1 {
		t.Error(header)
	}
}

// A client that is refused is told why.
func TestRefusal(t *testing.T) {
	v := load(t, "ADD_PREFIX=/internal")
	over := New(v.Config, v.Path, Facts{}).Over(roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("a request is sent")
		return nil, errors.New("no")
	}))
	w := httptest.NewRecorder()
	handler.Forward(over, handler.ForwardConfig{}).ServeHTTP(w, identified(t, "GET", "/../secret", "Accept", "text/plain"))
	if want := "400 Bad Request\n\n" + string(errClimbs) + "\n"; w.Code != http.StatusBadRequest || w.Body.String() != want {
		t.Errorf("%d %q, want %q", w.Code, w.Body, want)
	}
}

func TestErrorsPass(t *testing.T) {
	v := load(t, "STRIP=/v1", "RESPONSE_HEADERS=A: 1")
	failure := &fault.Error{Type: fault.ConnectionRefused}
	_, err := New(v.Config, v.Path, Facts{}).Over(roundTripper(func(*http.Request) (*http.Response, error) { return nil, failure })).RoundTrip(sent(identified(t, "GET", "/v1/a")))
	if err != failure {
		t.Error(err)
	}
}

func TestSecurityHeaders(t *testing.T) {
	v := load(t, "SECURITY_HEADERS=on", "RESPONSE_HEADERS=-X-Frame-Options, X-Extra: 1")
	said := http.Header{"Referrer-Policy": {"no-referrer"}, "Cross-Origin-Opener-Policy": {"unsafe-none"}}
	want := http.Header{
		"Referrer-Policy": {"no-referrer"}, "Cross-Origin-Opener-Policy": {"unsafe-none"},
		"X-Content-Type-Options": {"nosniff"}, "X-Permitted-Cross-Domain-Policies": {"none"}, "X-Dns-Prefetch-Control": {"off"},
	}
	SecurityHeaders(v.Config)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		handler.AnswerOf(r).Apply(said)
	})).ServeHTTP(nil, identified(t, "GET", "/"))
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
