//go:build !race

package rewrite

import (
	"net/http"
	"testing"
)

// What no request has a part in costs none of them memory; what one has, the text that
// comes of it and the place that it stands in.
func TestAllocations(t *testing.T) {
	for name, test := range map[string]struct {
		environ []string
		most    float64
	}{
		"constants":       {[]string{"REQUEST_HEADERS=A: 1, -Cookie, ?B: 2", "RESPONSE_HEADERS=A: 1, -Server"}, 0},
		"mapping nothing": {[]string{"REWRITE_RESPONSES=always"}, 0},
		"strip":           {[]string{"STRIP=/v1"}, 1},
		"add":             {[]string{"ADD_PREFIX=/internal"}, 1},
		"a value":         {[]string{"REQUEST_HEADERS=X-Path: {path}{?}"}, 2},
		"a template":      {[]string{"REWRITE=/v2/{id}{?}"}, 1},
	} {
		v := load(t, test.environ...)
		f := facts(map[string]string{"id": "7"})
		resp := &http.Response{Header: http.Header{"Content-Type": {"text/plain"}}}
		over := New(v.Config, v.Path, f).Over(roundTripper(func(*http.Request) (*http.Response, error) { return resp, nil }))
		out := sent(identified(t, "GET", "/v1/a?q"))
		target := *out.URL
		if got := testing.AllocsPerRun(100, func() {
			*out.URL = target
			delete(out.Header, "X-Forwarded-Prefix")
			over.RoundTrip(out)
		}); got > test.most {
			t.Errorf("%s: %v allocations, want %v", name, got, test.most)
		}
	}
}
