package abuse

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
)

// toxicTo returns the address of a way to upstream on which toxics have their
// effect, in the notation of toxiproxy's API.
func toxicTo(t *testing.T, upstream string, toxics ...string) string {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	way := toxiproxy.NewProxy(server, "way", "127.0.0.1:0", upstream)
	if err := way.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(way.Stop)
	for _, toxic := range toxics {
		if _, err := way.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			t.Fatal(err)
		}
	}
	return way.Listen
}

// TestToxicBackends has bad ways to the only backend: what comes of a request is
// told as it is, and an answer that was cut does not look whole.
func TestToxicBackends(t *testing.T) {
	type result struct {
		Status   int
		Whole    bool
		Attempts int64
	}
	const size = 4 << 20 // of the answer
	tests := map[string]struct {
		toxic string
		want  result
	}{
		"latency":             {`{"type":"latency","attributes":{"latency":50,"jitter":20}}`, result{200, true, 1}},
		"slices":              {`{"type":"slicer","attributes":{"average_size":1400,"size_variation":1000,"delay":10}}`, result{200, true, 1}},
		"little bandwidth":    {`{"type":"bandwidth","attributes":{"rate":8000}}`, result{200, true, 1}},
		"a slow end":          {`{"type":"slow_close","attributes":{"delay":100}}`, result{200, true, 1}},
		"cut in the header":   {`{"type":"limit_data","attributes":{"bytes":20}}`, result{502, true, 1}},
		"cut in the body":     {`{"type":"limit_data","attributes":{"bytes":100000}}`, result{200, false, 1}},
		"a reset":             {`{"type":"reset_peer","attributes":{"timeout":0}}`, result{502, true, 1}},
		"silence":             {`{"type":"timeout","attributes":{"timeout":0}}`, result{504, true, 1}},
		"silence, then close": {`{"type":"timeout","attributes":{"timeout":100}}`, result{502, true, 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := startBackend(t)
			p := startProxyBefore(t, b, "http://"+toxicTo(t, strings.TrimPrefix(b.url, "http://"), test.toxic),
				"BACKEND_RESPONSE_TIMEOUT=2s", "RETRY_ATTEMPTS=0", "PROBE_MODE=off")
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
			res, err := client.Get("http://" + p.address + "/large")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			n, err := io.Copy(io.Discard, res.Body)
			got := result{res.StatusCode, err == nil && (n == size || res.StatusCode != http.StatusOK), b.attacked.Load()}
			if name == "a reset" {
				got.Attempts = test.want.Attempts // it may come before the request
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			p.alive(t)
		})
	}
}

// TestToxicClients has clients come over bad ways, and others over good ones.
func TestToxicClients(t *testing.T) {
	over := func(toxics ...string) func(at *target) outcome {
		return func(at *target) outcome {
			way := toxicTo(at.t, at.address, toxics...)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: stall()}
			for range 5 {
				if res, err := client.Post("http://"+way+"/large", "text/plain", strings.NewReader(strings.Repeat("x", 100_000))); err == nil {
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			}
			return outcome{sent: 5}
		}
	}
	attacks := []attack{
		{name: "latency", strike: over(`{"type":"latency","attributes":{"latency":20}}`, `{"type":"latency","stream":"upstream","attributes":{"latency":20}}`)},
		{name: "slices", strike: over(`{"type":"slicer","attributes":{"average_size":100,"size_variation":50,"delay":10}}`, `{"type":"slicer","stream":"upstream","attributes":{"average_size":10,"size_variation":5,"delay":10}}`)},
		{name: "little bandwidth", strike: over(`{"type":"bandwidth","attributes":{"rate":10}}`)},
		{name: "cut requests", strike: over(`{"type":"limit_data","stream":"upstream","attributes":{"bytes":1000}}`)},
		{name: "cut answers", strike: over(`{"type":"limit_data","attributes":{"bytes":1000}}`)},
		{name: "resets", strike: over(`{"type":"reset_peer","stream":"upstream","attributes":{"timeout":5}}`)},
		{name: "silence", strike: over(`{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`)},
	}
	for i := range attacks {
		attacks[i].stays, attacks[i].waits, attacks[i].forwards, attacks[i].cpu = true, true, 10, time.Second
	}
	attackWith(t, attacks)
}
