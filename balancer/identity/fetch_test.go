package identity_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer/identity"
)

// fetched is what came of a fetch.
type fetched struct {
	Token  string // empty: there is none
	Type   string
	Status int
	Error  string
}

// secret stands in whatever services answer, and in no error.
const secret = "s3cret"

// jwt is a token with these claims.
func jwt(claims string) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"none"}`)) + "." + part([]byte(claims)) + "." + secret
}

// fetch fetches once as cfg says, within ctx.
func fetch(ctx context.Context, t *testing.T, cfg identity.Config, p identity.Purpose) (identity.Token, fetched) {
	t.Helper()
	token, err := fetching(cfg, p)(ctx)
	if err == nil {
		return token, fetched{Token: token.Value()}
	}
	failure, ok := errors.AsType[*identity.FetchError](err)
	if !ok {
		t.Fatalf("the error is a %T: %v", err, err)
	}
	if strings.Contains(fmt.Sprintf("%v %#v", err, token), secret) {
		t.Errorf("the error shows what was answered: %v", err)
	}
	return token, fetched{Type: failure.Type, Status: failure.Status, Error: err.Error()}
}

// fetching returns what makes the fetches of a source.
func fetching(cfg identity.Config, p identity.Purpose) (fetch identity.Fetch) {
	new(identity.Sources).Signer(cfg, p, identity.Hooks{Fetch: func(_ identity.Request, next identity.Fetch) identity.Fetch {
		fetch = next
		return next
	}})
	return fetch
}

// service answers with a handler until the test ends, whatever the handler waits for.
func service(t *testing.T, h func(w http.ResponseWriter, r *http.Request)) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(h))
	t.Cleanup(s.Close)
	return s
}

// answer has a status and a text.
func answer(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}
}

// endless sends what never ends.
func endless(w http.ResponseWriter, r *http.Request) {
	for chunk := strings.Repeat(secret, 1000); ; {
		if _, err := fmt.Fprint(w, chunk); err != nil {
			return
		}
	}
}

// silent answers nothing until nobody waits, which a server sees once it has read a request.
func silent(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// reset ends the connection instead of an answer.
func reset(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}

func TestMetadataServer(t *testing.T) {
	t.Parallel()
	const audience = "https://app.example/a?b&c=d"
	hour := time.Now().Add(time.Hour).Unix()
	valid := jwt(fmt.Sprintf(`{"aud":%q,"exp":%d}`, audience, hour))
	short := 100 * time.Millisecond
	flavored := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			h(w, r)
		}
	}
	const noJWT = "the metadata server answered with what is no JWT that says when it expires"
	nonsense := func(text string) fetched { return fetched{Type: "malformed_response", Status: 200, Error: text} }
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		within time.Duration // 0: as long as it takes
		want   fetched
	}{
		"a token":                 {flavored(answer(200, valid)), 0, fetched{Token: valid}},
		"a token and a line feed": {flavored(answer(200, valid+"\n")), 0, fetched{Token: valid}},
		"no service account":      {flavored(answer(404, secret)), 0, fetched{Type: "404", Status: 404, Error: "the metadata server answered 404: there is no service account here"}},
		"forbidden":               {flavored(answer(403, secret)), 0, fetched{Type: "403", Status: 403, Error: "the metadata server answered 403"}},
		"an outage":               {flavored(answer(503, secret)), 0, fetched{Type: "503", Status: 503, Error: "the metadata server answered 503"}},
		"another status":          {flavored(answer(202, valid)), 0, fetched{Type: "202", Status: 202, Error: "the metadata server answered 202"}},
		"a way elsewhere": {flavored(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				answer(200, valid)(w, r)
				return
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}), 0, fetched{Type: "302", Status: 302, Error: "the metadata server answered 302"}},
		"somebody else answers": {answer(200, valid), 0, nonsense("who answered is not Google's metadata server: there is no Metadata-Flavor: Google")},
		"another audience":      {flavored(answer(200, jwt(fmt.Sprintf(`{"aud":"https://other.example","exp":%d}`, hour)))), 0, nonsense("the metadata server answered with a token for another audience")},
		"no audience":           {flavored(answer(200, jwt(fmt.Sprintf(`{"exp":%d}`, hour)))), 0, nonsense("the metadata server answered with a token for another audience")},
		"expired":               {flavored(answer(200, jwt(fmt.Sprintf(`{"aud":%q,"exp":%d}`, audience, time.Now().Add(-time.Minute).Unix())))), 0, nonsense("the metadata server answered with a token that has expired already: does this host's clock agree with theirs?")},
		"a page":                {flavored(answer(200, "<html>"+secret+"</html>")), 0, nonsense(noJWT)},
		"nothing":               {flavored(answer(200, "")), 0, nonsense(noJWT)},
		"no word of its end":    {flavored(answer(200, jwt(fmt.Sprintf(`{"aud":%q}`, audience)))), 0, nonsense(noJWT)},
		"a blank in it":         {flavored(answer(200, valid+" "+secret)), 0, nonsense("the metadata server answered with a token that cannot stand in a field")},
		"a line of its own":     {flavored(answer(200, valid+"\r\nX: "+secret)), 0, nonsense("the metadata server answered with a token that cannot stand in a field")},
		"a token too long":      {flavored(answer(200, valid+strings.Repeat("x", identity.LongestToken))), 0, nonsense("the metadata server answered with a token of more than 16 KiB")},
		"it never ends":         {flavored(endless), 0, nonsense("the metadata server answered with more than 64 KiB")},
		"it is slow":            {silent, short, fetched{Type: "timeout", Error: "asking the metadata server: context deadline exceeded"}},
		"it is slow to go on":   {flavored(func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); silent(w, r) }), short, fetched{Type: "timeout", Error: "asking the metadata server: context deadline exceeded"}},
		"it is cut off amid": {flavored(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "99")
			fmt.Fprint(w, secret)
		}), 0, fetched{Type: "connect_error", Error: "asking the metadata server: unexpected EOF"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan string, 10)
			server := service(t, func(w http.ResponseWriter, r *http.Request) {
				asked <- fmt.Sprint(r.Method, " ", r.Host, r.URL, " ", r.Header["Metadata-Flavor"])
				test.answer(w, r)
			})
			ctx := t.Context()
			if test.within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.within)
				defer cancel()
			}
			host := strings.TrimPrefix(server.URL, "http://")
			_, got := fetch(ctx, t, identity.Config{MetadataHost: identity.MetadataHost(host)}, identity.Purpose{Kind: identity.Google, Audience: audience})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the fetch (-want +got):\n%s", diff)
			}
			const path = "/computeMetadata/v1/instance/service-accounts/default/identity?audience=https%3A%2F%2Fapp.example%2Fa%3Fb%26c%3Dd&format=full"
			if got, want := <-asked, "GET "+host+path+" [Google]"; got != want || len(asked) > 0 {
				t.Errorf("the server was asked %q, and %d times more; want %q", got, len(asked), want)
			}
		})
	}
}

// TestNobodyAnswers has a port where nobody listens, and one that hangs up.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, test := range map[string]struct{ url, want string }{
		"nobody listens": {gone.URL, "connection_refused"},
		"it hangs up":    {service(t, reset).URL, "connection_reset"},
	} {
		t.Run(name, func(t *testing.T) {
			google := identity.Config{MetadataHost: identity.MetadataHost(strings.TrimPrefix(test.url, "http://"))}
			if _, got := fetch(t.Context(), t, google, identity.Purpose{Kind: identity.Google, Audience: "x"}); got.Type != test.want || got.Status != 0 {
				t.Errorf("the metadata server: got %+v, want %s", got, test.want)
			}
			server := identity.Config{TokenURL: identity.TokenURL(test.url + "/" + secret), ClientID: "me", ClientSecret: secret}
			if _, got := fetch(t.Context(), t, server, identity.Purpose{Kind: identity.OAuth2}); got.Type != test.want || got.Status != 0 {
				t.Errorf("the authorization server: got %+v, want %s", got, test.want)
			}
		})
	}
}
