package identity_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer/identity"
)

func TestAuthorizationServer(t *testing.T) {
	t.Parallel()
	typed := func(contentType string, h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			h(w, r)
		}
	}
	text := func(status int, text string) http.HandlerFunc {
		return typed("application/json", answer(status, text))
	}
	const noToken = "the authorization server answered with what is no token of RFC 6749 §5.1"
	nonsense := func(text string) fetched { return fetched{Type: "malformed_response", Status: 200, Error: text} }
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		within time.Duration // 0: as long as it takes
		want   fetched
		life   time.Duration // of the token
	}{
		"a token":                       {text(200, `{"access_token":"`+secret+`","token_type":"bearer","expires_in":3600}`), 0, fetched{Token: secret}, time.Hour},
		"its life as a text":            {text(200, `{"access_token":"`+secret+`","token_type":"Bearer","expires_in":"3600"}`), 0, fetched{Token: secret}, time.Hour},
		"no word of its life":           {text(200, `{"access_token":"`+secret+`","token_type":"Bearer"}`), 0, fetched{Token: secret}, 5 * time.Minute},
		"a life that is over":           {text(200, `{"access_token":"`+secret+`","token_type":"Bearer","expires_in":0}`), 0, nonsense("the authorization server answered with a token that has expired already: does this host's clock agree with theirs?"), 0},
		"a life that is null":           {text(200, `{"access_token":"`+secret+`","token_type":"Bearer","expires_in":null}`), 0, fetched{Token: secret}, 5 * time.Minute},
		"a life without end":            {text(200, `{"access_token":"`+secret+`","token_type":"Bearer","expires_in":99999999999999}`), 0, fetched{Token: secret}, 0},
		"a kind that is not ours":       {text(200, `{"access_token":"`+secret+`","token_type":"mac","expires_in":3600}`), 0, nonsense("the authorization server answered with a token that is no bearer token"), 0},
		"no kind":                       {text(200, `{"access_token":"`+secret+`","expires_in":3600}`), 0, fetched{Token: secret}, time.Hour},
		"no token":                      {text(200, `{"text":"`+secret+`"}`), 0, nonsense(noToken), 0},
		"a line of its own":             {text(200, `{"access_token":"a\r\nX: `+secret+`","expires_in":3600}`), 0, nonsense("the authorization server answered with a token that cannot stand in a field"), 0},
		"a token too long":              {text(200, `{"access_token":"`+strings.Repeat("x", identity.LongestToken+1)+`","expires_in":3600}`), 0, nonsense("the authorization server answered with a token of more than 16 KiB"), 0},
		"an error":                      {text(400, `{"error":"invalid_scope","error_description":"`+secret+`"}`), 0, fetched{Type: "400", Status: 400, Error: "the authorization server answered 400 invalid_scope"}, 0},
		"an error that passes for none": {text(200, `{"error":"invalid_scope","error_description":"`+secret+`"}`), 0, nonsense("the authorization server answered 200 invalid_scope"), 0},
		"an error in its own words":     {text(400, `{"error":"`+secret+`"}`), 0, fetched{Type: "400", Status: 400, Error: "the authorization server answered 400"}, 0},
		"it does not know us":           {text(401, `{"error":"invalid_client"}`), 0, fetched{Type: "401", Status: 401, Error: "the authorization server answered 401 invalid_client"}, 0},
		"an outage":                     {text(503, secret), 0, fetched{Type: "503", Status: 503, Error: "the authorization server answered 503"}, 0},
		"a page":                        {typed("text/html", answer(200, "<html>"+secret+"</html>")), 0, nonsense(noToken), 0},
		"broken JSON":                   {text(200, `{"access_token":"`+secret), 0, nonsense(noToken), 0},
		"a way elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/"+secret, http.StatusTemporaryRedirect)
		}, 0, fetched{Type: "307", Status: 307, Error: "the authorization server answered 307"}, 0},
		"it never ends": {typed("application/json", endless), 0, nonsense(noToken), 0},
		"it is slow":    {silent, 100 * time.Millisecond, fetched{Type: "timeout", Error: "asking the authorization server: context deadline exceeded"}, 0},
		"it is slow to go on": {func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.(http.Flusher).Flush()
			silent(w, r)
		}, 100 * time.Millisecond, fetched{Type: "timeout", Error: "asking the authorization server: context deadline exceeded"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := service(t, test.answer)
			ctx := t.Context()
			if test.within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.within)
				defer cancel()
			}
			before := time.Now()
			cfg := identity.Config{TokenURL: identity.TokenURL(server.URL + "/token"), ClientID: "me", ClientSecret: secret}
			token, got := fetch(ctx, t, cfg, identity.Purpose{Kind: identity.OAuth2})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the fetch (-want +got):\n%s", diff)
			}
			if test.life > 0 {
				if least := test.life - time.Second - time.Since(before); token.Life() < least || token.Life() > test.life {
					t.Errorf("the token is valid for %v, not for %v to %v", token.Life(), least, test.life)
				}
			}
		})
	}
}

// TestAuthorizationServerIsAsked looks at what the server is sent, by one that knows who
// asks by the Authorization field, and by others, each of which is asked twice.
func TestAuthorizationServerIsAsked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config  func(*identity.Config)
		purpose identity.Purpose
		byField int // status of the answer, where the client is in the Authorization field
		inForm  int
		want    []string
	}{
		"by the field": {nil, identity.Purpose{}, 200, 0, []string{
			`POST application/x-www-form-urlencoded "me%3A1":"a+b" true map[grant_type:[client_credentials]]`,
			`POST application/x-www-form-urlencoded "me%3A1":"a+b" true map[grant_type:[client_credentials]]`,
		}},
		"with scopes and an audience": {func(c *identity.Config) { c.Scopes = []identity.Scope{"orders.read", "orders.write"} }, identity.Purpose{Audience: "https://orders"}, 200, 0, []string{
			`POST application/x-www-form-urlencoded "me%3A1":"a+b" true map[audience:[https://orders] grant_type:[client_credentials] scope:[orders.read orders.write]]`,
			`POST application/x-www-form-urlencoded "me%3A1":"a+b" true map[audience:[https://orders] grant_type:[client_credentials] scope:[orders.read orders.write]]`,
		}},
		"by the form": {nil, identity.Purpose{}, 401, 200, []string{
			`POST application/x-www-form-urlencoded "me%3A1":"a+b" true map[grant_type:[client_credentials]]`,
			`POST application/x-www-form-urlencoded "":"" false map[client_id:[me:1] client_secret:[a b] grant_type:[client_credentials]]`,
			`POST application/x-www-form-urlencoded "":"" false map[client_id:[me:1] client_secret:[a b] grant_type:[client_credentials]]`,
		}},
		"by the form, which alone it looks at": {nil, identity.Purpose{}, 403, 200, []string{
			`POST application/x-www-form-urlencoded "me%3A1":"a+b" true map[grant_type:[client_credentials]]`,
			`POST application/x-www-form-urlencoded "":"" false map[client_id:[me:1] client_secret:[a b] grant_type:[client_credentials]]`,
			`POST application/x-www-form-urlencoded "":"" false map[client_id:[me:1] client_secret:[a b] grant_type:[client_credentials]]`,
		}},
		"of whom it knows nothing": {nil, identity.Purpose{}, 401, 401, []string{
			`POST application/x-www-form-urlencoded "me%3A1":"a+b" true map[grant_type:[client_credentials]]`,
			`POST application/x-www-form-urlencoded "":"" false map[client_id:[me:1] client_secret:[a b] grant_type:[client_credentials]]`,
			`POST application/x-www-form-urlencoded "me%3A1":"a+b" true map[grant_type:[client_credentials]]`,
			`POST application/x-www-form-urlencoded "":"" false map[client_id:[me:1] client_secret:[a b] grant_type:[client_credentials]]`,
		}},
		"while it is out of order": {nil, identity.Purpose{}, 503, 200, []string{
			`POST application/x-www-form-urlencoded "me%3A1":"a+b" true map[grant_type:[client_credentials]]`,
			`POST application/x-www-form-urlencoded "me%3A1":"a+b" true map[grant_type:[client_credentials]]`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan string, 10)
			server := service(t, func(w http.ResponseWriter, r *http.Request) {
				id, secret, ok := r.BasicAuth()
				r.ParseForm()
				asked <- fmt.Sprintf("%s %s %q:%q %t %v", r.Method, r.Header.Get("Content-Type"), id, secret, ok, r.PostForm)
				w.Header().Set("Content-Type", "application/json")
				status := test.inForm
				if ok {
					status = test.byField
				}
				w.WriteHeader(status)
				if status == http.StatusOK {
					fmt.Fprint(w, `{"access_token":"a","token_type":"BearerToken","expires_in":3600}`)
				}
			})
			cfg := identity.Config{TokenURL: identity.TokenURL(server.URL), ClientID: "me:1", ClientSecret: "a b"}
			if test.config != nil {
				test.config(&cfg)
			}
			test.purpose.Kind = identity.OAuth2
			fetch := fetching(cfg, test.purpose)
			for range 2 {
				if token, err := fetch(t.Context()); err == nil && token.Value() != "a" {
					t.Errorf("got %+v", token)
				}
			}
			close(asked)
			var got []string
			for question := range asked {
				got = append(got, question)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("what was asked (-want +got):\n%s", diff)
			}
		})
	}
}
