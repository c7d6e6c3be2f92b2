package main

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
)

// TestEjectionAndReturn follows a backend that fails requests in a row, is left
// out, and comes back when its time is over.
func TestEjectionAndReturn(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	failing := plainBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	p := start(t, "PROBE_MODE=off", "OUTLIER_FAILURES=2", "OUTLIER_EJECTION=50ms", "TRACE_TRUST=trust", "BACKENDS="+failing+",echo:b")
	for range 3 { // of which the second has the other backend's turn
		p.once(t.Context(), "GET", "/", nil)
	}
	// How many requests pass until then is no matter, and these leave no trace.
	for asked.Load() == 2 {
		p.once(t.Context(), "GET", "/", nil, "traceparent: "+callersParent+"-00")
	}
	p.stop()
	p.checkStates(t, "GET SERVER Unset spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Error error.type=503\n"+
		"  retry INTERNAL Unset\n"+
		"  GET CLIENT Unset link=2\n"+
		"GET SERVER Unset spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Unset\n"+
		"GET SERVER Unset spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Error error.type=503\n"+
		"  retry INTERNAL Unset\n"+
		"  GET CLIENT Unset link=8\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=unknown spangate.backend.state=ejected spangate.backend.reason=outlier link=2 link=8\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=ejected spangate.backend.state=unknown spangate.backend.reason=ejection_ended\n")
}

// TestEjectionOfABackendThatBreaksOff follows a backend whose responses break
// off amid their bodies. One that its client does not want to the end says
// nothing for it.
func TestEjectionOfABackendThatBreaksOff(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	breaking := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "20")
		io.WriteString(w, "half")
		http.NewResponseController(w).Flush()
		if r.URL.Path == "/long" {
			<-r.Context().Done()
			close(gone)
		}
		panic(http.ErrAbortHandler)
	})
	p := start(t, "PROBE_MODE=off", "OUTLIER_FAILURES=2", "OUTLIER_MAX_PERCENT=100", "BACKENDS="+breaking)
	p.once(t.Context(), "GET", "/", nil)
	resp, err := p.send(t.Context(), "GET", "/long", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	<-gone
	p.once(t.Context(), "GET", "/", nil)
	p.stop()
	p.checkStates(t, "GET SERVER Error error.type=backend_reset spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Error error.type=backend_reset\n"+
		"GET SERVER Error error.type=client_disconnected spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Unset\n"+
		"GET SERVER Error error.type=backend_reset spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Error error.type=backend_reset\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=unknown spangate.backend.state=ejected spangate.backend.reason=outlier link=2 link=6\n")
}

// TestWhatAnEjectionSays checks that span and event say after how many failures a
// backend is left out, of which kind, and for how long.
func TestWhatAnEjectionSays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		backend string
		environ string
		want    string
	}{
		"statuses": {replying(t, 503), "", "503"},
		"refused":  {"http://" + refusing(t), "", "connection_refused"},
		"hangs":    {"http://" + saying(t, ""), "BACKEND_RESPONSE_TIMEOUT=50ms", "response_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "OUTLIER_FAILURES=2", "OUTLIER_EJECTION=90s", "OUTLIER_MAX_PERCENT=100", "BACKENDS="+test.backend, test.environ)
			p.once(t.Context(), "GET", "/", nil)
			p.once(t.Context(), "GET", "/", nil)
			p.stop()
			want := map[string]any{
				"spangate.backend": test.backend, "spangate.backend.state": "ejected", "spangate.backend.previous_state": "unknown", "spangate.backend.reason": "outlier",
				"spangate.ejection.failures": int64(2), "spangate.ejection.duration": 90.0, "spangate.backend.error_type": test.want,
			}
			for _, span := range p.collector.Spans() {
				if span.Name != "backend_state_change" {
					continue
				}
				if diff := cmp.Diff(want, span.Attributes); diff != "" || len(span.Links) != 2 {
					t.Errorf("span with %d links (-want +got):\n%s", len(span.Links), diff)
				}
			}
			lines := p.log.named(t, "msg", "backend state changed")
			if len(lines) != 1 {
				t.Fatalf("%d lines, want 1", len(lines))
			}
			if l := lines[0]; l["spangate.ejection.failures"] != 2.0 || l["spangate.ejection.duration"] != 90.0 || l["spangate.backend.error_type"] != test.want || l["exception.message"] == nil {
				t.Errorf("log: %v", l)
			}
		})
	}
}

// TestEjectionIsLinkedToItsCauses checks the links of an ejection to the attempts that
// led to it, of one connection, whose requests' memory is used again.
func TestEjectionIsLinkedToItsCauses(t *testing.T) {
	t.Parallel()
	const failures = 5
	failing := plainBackend(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	p := start(t, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "OUTLIER_FAILURES=5", "OUTLIER_MAX_PERCENT=100", "BACKENDS="+failing)
	s := p.session(t)
	for range failures + 20 {
		s.ask(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	p.stop()
	var failed, linked []string
	for _, span := range p.collector.Spans() {
		switch {
		case span.Kind == "CLIENT" && len(failed) < failures:
			failed = append(failed, span.SpanID)
		case span.Name == "backend_state_change":
			for _, link := range span.Links {
				linked = append(linked, link.SpanID)
			}
		}
	}
	if diff := cmp.Diff(failed, linked); diff != "" {
		t.Errorf("links (-failed +linked):\n%s", diff)
	}
}

// TestEjectedServesWhenNobodyElseIsLeft checks that to have failed requests makes
// a backend worse than others, not worse than none; to fail probes does.
func TestEjectedServesWhenNobodyElseIsLeft(t *testing.T) {
	t.Parallel()
	var healthy atomic.Bool
	healthy.Store(true)
	backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fail" || r.URL.Path == "/healthz" && !healthy.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	p := start(t, "PROBE_PATH=/healthz", "PROBE_INTERVAL=10ms", "RETRY_ATTEMPTS=0", "OUTLIER_FAILURES=1", "OUTLIER_MAX_PERCENT=100", "OUTLIER_EJECTION=1h", "BACKENDS="+backend)
	p.await(`"spangate.backend.state":"ready"`)
	p.once(t.Context(), "GET", "/fail", nil)
	p.await(`"spangate.backend.state":"ejected"`)
	if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != 200 {
		t.Errorf("while it is ejected: %s: %s", resp.Status, body)
	}
	if b := p.status(t).Backends[0]; b.State != balancer.Ejected || !b.Serves {
		t.Errorf("status: %+v", b)
	}
	healthy.Store(false)
	p.await(`"spangate.backend.state":"down"`)
	if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != 503 {
		t.Errorf("while it is down: %s: %s", resp.Status, body)
	}
	if b := p.status(t).Backends[0]; b.State != balancer.Down || b.Serves {
		t.Errorf("status: %+v", b)
	}
}

// TestOneHungOfTwo checks that nobody has to know of a setting to be answered
// though one of two backends hangs, and that few others meet with it.
func TestOneHungOfTwo(t *testing.T) {
	t.Parallel()
	// A fifth of the default, and so of the two seconds that an attempt has.
	p := start(t, "BACKEND_RESPONSE_TIMEOUT=6s", "BACKENDS=http://"+saying(t, "")+",echo:fit")
	began := time.Now()
	for range 100 {
		if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != 200 {
			t.Errorf("%s: %s", resp.Status, body)
		}
	}
	took := time.Since(began)
	p.stop()
	hung := 0
	for _, span := range p.spans("CLIENT") {
		if span.Attributes["error.type"] == "response_timeout" {
			hung++
		}
	}
	if most := int(took/(2*time.Second)) + 1; hung == 0 || hung > most {
		t.Errorf("%d of 100 requests met with the one that hangs, in %v", hung, took)
	}
}

// TestNobodyIsLeft checks what clients are told when no backend may be used.
func TestNobodyIsLeft(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_FALL=1", "BACKENDS=http://"+refusing(t))
	p.await("backend state changed")
	resp, err := http.Get("http://" + p.addr)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
}
