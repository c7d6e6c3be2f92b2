package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestServices checks that each attempt names the service that it goes to, and the
// request's line the backends that were tried, in order, where there were several.
func TestServices(t *testing.T) {
	t.Parallel()
	failing, fit := replying(t, 503), replying(t, 200)
	for name, test := range map[string]struct {
		backends string
		tree     string
		line     map[string]any
	}{
		"one attempt": {
			backends: fit + ";service=cart",
			tree: `
GET SERVER Unset
  GET CLIENT Unset service.peer.name=cart
`,
			line: map[string]any{"backend": fit, "attempts": 1.0},
		},
		"two, at two services": {
			backends: failing + ";service=cart," + fit + ";service=cart-2",
			tree: `
GET SERVER Unset
  GET CLIENT Error service.peer.name=cart
  retry INTERNAL Unset
  GET CLIENT Unset service.peer.name=cart-2 link=2
`,
			line: map[string]any{"backend": fit, "attempts": 2.0, "backends": failing + "," + fit},
		},
		"two, at one backend without a name": {
			backends: failing,
			tree: `
GET SERVER Error
  GET CLIENT Error
  retry INTERNAL Unset
  GET CLIENT Error link=2
`,
			line: map[string]any{"backend": failing, "attempts": 2.0, "backends": failing + "," + failing},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "PROBE_MODE=off", "RETRY_ATTEMPTS=1", "RETRY_BACKOFF=0", "BACKENDS="+test.backends)
			p.once(t.Context(), "GET", "/", nil)
			p.stop()
			p.checkSpans(t, test.tree[1:], "service.peer.name")
			got := map[string]any{}
			for _, field := range []string{"backend", "attempts", "backends"} {
				if value, ok := p.log.requests(t)[0][field]; ok {
					got[field] = value
				}
			}
			if diff := cmp.Diff(test.line, got); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}
