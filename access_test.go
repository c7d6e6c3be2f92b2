package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPagesAreShownRefusedAddresses has pages of other origins ask from an
// address that the lists refuse. The browser shows them why only if the 403
// carries the CORS fields, and asks at all only if the preflight, which does not
// reach a backend, was answered.
func TestPagesAreShownRefusedAddresses(t *testing.T) {
	t.Parallel()
	const (
		permitted = "204\n" +
			"  Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network\n" +
			"  Access-Control-Allow-Origin: https://app.test\n" +
			"  Access-Control-Allow-Methods: GET,HEAD,POST,PUT,PATCH,DELETE\n" +
			"  Access-Control-Allow-Headers: content-type\n" +
			"  Access-Control-Max-Age: 7200\n"
		refused = "403 Requests from this address are not accepted.\n  Vary: Origin\n"
	)
	for name, environ := range map[string][]string{
		"denied":      {"DENY_CIDRS=127.0.0.0/8"},
		"not allowed": {"ALLOW_CIDRS=203.0.113.0/24"},
		"no address":  {"ALLOW_CIDRS=203.0.113.0/24", "TRUSTED_PROXIES=127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hidden := "X-Forwarded-For: unknown" // counts where the peer is trusted
			backend := newFront(t)
			p := start(t, append(environ, "BACKENDS="+backend.URL, "PROBE_MODE=off", "REQUEST_ID_HEADER=off", "OTEL_SDK_DISABLED=true", "CORS_ALLOWED_ORIGINS=https://app.test")...)
			preflight := preflightOf("PUT")
			preflight.header = append(preflight.header, hidden)
			got, _ := p.knocks(t, []knock{
				preflight,
				{method: "PUT", header: []string{aPage, hidden}},
				{header: []string{"Origin: https://evil.test", hidden}},
				{header: []string{hidden}},
			})
			want := permitted + refused + "  Access-Control-Allow-Origin: https://app.test\n" + refused + refused
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("a preflight, its page's request, another page's, nobody's (-want +got):\n%s", diff)
			}
			if n := backend.reached.Load(); n != 0 {
				t.Errorf("the backend was reached %d times", n)
			}
		})
	}
}
