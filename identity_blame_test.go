package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"spangate/balancer"
)

// metadataServer is one that has a token for each audience but those that failing has
// an answer for, until the test ends. It returns the variable that leads to it.
func metadataServer(t *testing.T, failing map[string]http.HandlerFunc) string {
	t.Helper()
	return "GCE_METADATA_HOST=" + strings.TrimPrefix(plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Metadata-Flavor", "Google")
		if fail := failing[r.FormValue("audience")]; fail != nil {
			fail(w, r)
			return
		}
		fmt.Fprint(w, secretToken(r.FormValue("audience")))
	}), "http://")
}

// outage is how a metadata server answers that has one.
func outage(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }

// TestNobodyIsBlamedForTokens sends requests, and probes, to a backend for which there is
// no token, where one failure of its own would have it left out. It stays what it was.
func TestNobodyIsBlamedForTokens(t *testing.T) {
	t.Parallel()
	text := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	probing := func(environ string) []string { return []string{environ, "PROBE_FALL=1", "PROBE_INTERVAL=10ms"} }
	for name, test := range map[string]struct {
		fail    http.HandlerFunc
		environ []string
		want    balancer.State
	}{
		"an outage":              {outage, probing("PROBE_TYPE=tcp"), balancer.Ready},
		"a page":                 {text("<html>"), probing("PROBE_TYPE=tcp"), balancer.Ready},
		"another audience":       {text(secretToken("https://other.example")), []string{"PROBE_MODE=off"}, balancer.Unknown},
		"a line feed":            {text(secretToken("https://fails") + "\r\nX: y"), []string{"PROBE_MODE=off"}, balancer.Unknown},
		"it hangs up":            {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, []string{"PROBE_MODE=off"}, balancer.Unknown},
		"with probes of its own": {outage, probing("PROBE_PATH=/"), balancer.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			backend := plainBackend(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
			p := start(t, append([]string{
				"BACKENDS=" + backend, "BACKEND_AUTH=google-id-token", "BACKEND_AUTH_AUDIENCE=https://fails", metadataServer(t, map[string]http.HandlerFunc{"https://fails": test.fail}),
				"OUTLIER_FAILURES=1", "OUTLIER_MAX_PERCENT=100",
			}, test.environ...)...)
			if test.want == balancer.Ready {
				p.await(`"spangate.backend.state":"ready"`)
			}
			for range 20 {
				if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusBadGateway {
					t.Errorf("got %d", resp.StatusCode)
				}
			}
			if states := p.states(t); !slices.Equal(states, []balancer.State{test.want}) {
				t.Errorf("the backend is %v, want %v", states, test.want)
			}
			if _, shown := p.ask(t, "GET", "/.spangate/status", nil); !strings.Contains(shown, `"without_token_because":`) {
				t.Errorf("the status says nothing of the token: %s", shown)
			}
			p.stop()
			if n := asked.Load(); n != 0 {
				t.Errorf("the backend was asked %d times", n)
			}
			for _, span := range p.collector.Spans() {
				if span.Name == "backend_state_change" && span.Attributes["spangate.backend.state"] != "ready" {
					t.Errorf("the backend's state changes: %v", span.Attributes)
				}
				if result := span.Attributes["spangate.probe.result"]; result != nil && result != "success" && span.Attributes["error.type"] != "identity_error" {
					t.Errorf("a probe ends with %v: %v", result, span.Attributes)
				}
			}
			for _, point := range p.points("spangate.backend.status") {
				if s := point.Attributes["spangate.backend.state"]; point.Value != 0 && s != string(test.want) && s != "unknown" {
					t.Errorf("a metric says of the backend: %v", point)
				}
			}
		})
	}
}

// TestAnotherBackendHasItsOwnToken has two backends that want tokens of their own, of
// which there is one for the second alone, or whose first answers 503. Every request is
// answered by the one that can; who has no token is passed over, though nobody is less
// busy than it, and nobody is sent the other's.
func TestAnotherBackendHasItsOwnToken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failing map[string]http.HandlerFunc
		first   int // what the first backend answers
		environ []string
		want    bool // whether the first is asked
	}{
		"no token":                 {map[string]http.HandlerFunc{"https://a": outage}, 200, nil, false},
		"no token, by least":       {map[string]http.HandlerFunc{"https://a": outage}, 200, []string{"BALANCER=least-requests"}, false},
		"no token, of a POST":      {map[string]http.HandlerFunc{"https://a": outage}, 200, nil, false},
		"a backend with an outage": {nil, 503, []string{"OUTLIER_FAILURES=0", "RETRY_BUDGET=100%"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked [2]atomic.Int64
			backend := func(i int, status int, audience string) string {
				return plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
					asked[i].Add(1)
					token := r.Header.Get("X-Serverless-Authorization")
					_, claims, _ := strings.Cut(token, ".")
					claims, _, _ = strings.Cut(claims, ".")
					if said, _ := base64.RawURLEncoding.DecodeString(claims); !strings.Contains(string(said), `{"aud":"`+audience+`",`) {
						t.Errorf("the backend of %s is sent %q, which says %s", audience, token, said)
					}
					w.WriteHeader(status)
				}) + ";audience=" + audience
			}
			p := start(t, append([]string{
				"BACKENDS=" + backend(0, test.first, "https://a") + "," + backend(1, 200, "https://b"), "BACKEND_AUTH=google-id-token", "PROBE_MODE=off", metadataServer(t, test.failing),
			}, test.environ...)...)
			method := "GET"
			if strings.Contains(name, "POST") {
				method = "POST"
			}
			const requests = 400 // for which RETRY_BUDGET has not as many retries as half of them
			for range requests {
				if resp, _ := p.ask(t, method, "/", nil); resp.StatusCode != http.StatusOK {
					t.Fatalf("got %d", resp.StatusCode)
				}
			}
			p.stop()
			if asked[0].Load() > 0 != test.want || asked[1].Load() != requests {
				t.Errorf("the backends were asked %d and %d times", asked[0].Load(), asked[1].Load())
			}
		})
	}
}

// TestProbesOfGRPCHaveATokenAlso has a server of gRPC that lets in who has a token.
func TestProbesOfGRPCHaveATokenAlso(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var let, refused atomic.Int64
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, call any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		sent, _ := metadata.FromIncomingContext(ctx)
		if tokens := sent.Get("X-Serverless-Authorization"); len(tokens) != 1 || !strings.HasPrefix(tokens[0], "Bearer ") {
			refused.Add(1)
			return nil, status.Error(codes.Unauthenticated, "no token")
		}
		let.Add(1)
		return next(ctx, call)
	}))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go server.Serve(ln)
	t.Cleanup(server.Stop)
	p := start(t, "BACKENDS=h2c://"+ln.Addr().String(), "BACKEND_AUTH=google-id-token", "PROBE_TYPE=grpc", "PROBE_INTERVAL=10ms", metadataServer(t, nil))
	p.await(`"spangate.backend.state":"ready"`)
	p.stop()
	if let.Load() == 0 || refused.Load() != 0 {
		t.Errorf("of the probes %d had a token, and %d none", let.Load(), refused.Load())
	}
}
