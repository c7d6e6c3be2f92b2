package balancer_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/handler/fault"
)

// TestOutcome checks what an attempt says about its backend, where connect, reset
// and 503 are listed.
func TestOutcome(t *testing.T) {
	const nothing, told, doubtful, failed = "", "told, no more", "doubtful", "failed"
	of := func(kind fault.Type) *fault.Error { return &fault.Error{Type: kind, Sent: true} }
	tests := map[string]struct {
		status int
		err    *fault.Error
		want   string
	}{
		"a status":                      {status: 404, want: told},
		"a status that is listed":       {status: 503, want: failed},
		"a status that is not":          {status: 502, want: told},
		"refused":                       {err: of(fault.ConnectionRefused), want: failed},
		"reset":                         {err: of(fault.ConnectionReset), want: failed},
		"a response time-out":           {err: of(fault.ResponseTimeout), want: told},
		"the request's own deadline":    {err: of(fault.Timeout), want: doubtful},
		"malformed":                     {err: of(fault.MalformedResponse), want: told},
		"reset, of one that was kept":   {err: &fault.Error{Type: fault.ConnectionReset, Sent: true, Kept: true}, want: nothing},
		"the client left":               {err: of(fault.ClientDisconnected), want: nothing},
		"the client's framing":          {err: of(fault.MalformedRequest), want: nothing},
		"too large a body":              {err: of(fault.BodyTooLarge), want: nothing},
		"the proxy lacks descriptors":   {err: of(fault.Overloaded), want: "nothing, and noticed"},
		"the proxy stops":               {err: of(fault.Shutdown), want: nothing},
		"no connection within its time": {err: of(fault.ConnectTimeout), want: failed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := nothing
			hooks := balancer.Hooks{
				Attempted: func(_ context.Context, _ *balancer.Backend, o balancer.Outcome) {
					switch got = told; {
					case o.Failed && !o.Doubtful:
						got = "failed without a doubt"
					case o.Failed:
						got = failed
					case o.Doubtful:
						got = doubtful
					}
					if diff := cmp.Diff(fmt.Sprint(test.status, test.err), fmt.Sprint(o.Status, o.Err)); diff != "" {
						t.Errorf("told (-want +got):\n%s", diff)
					}
				},
				Failed: func(error) { got = "nothing, and noticed" },
			}
			var cfg balancer.Config
			if err := cfg.Outlier.On.UnmarshalText([]byte("connect,reset,503")); err != nil {
				t.Fatal(err)
			}
			b := named(nil, "a")[0]
			b.Use(roundTripper(func(r *http.Request) (*http.Response, error) {
				if test.err != nil {
					return nil, test.err
				}
				return answering(test.status).RoundTrip(r)
			}))
			balancer.NewPoolOf(cfg, hooks, first, b)
			if resp, err := b.RoundTrip(get()); err == nil {
				resp.Body.Close()
			}
			if got != test.want {
				t.Errorf("says %q, want %q", got, test.want)
			}
		})
	}
}
