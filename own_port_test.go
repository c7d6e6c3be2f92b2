package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"spangate/handler/wire/wiretest"
)

// TestReadinessIsProbedForOnAPortOfItsOwn checks that where requests start the
// probes, those for readiness do so too, wherever they come in: whoever waits for
// readiness before it sends any other would wait for ever.
func TestReadinessIsProbedForOnAPortOfItsOwn(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(backend.Close)
	port := wiretest.FreePort(t)
	p := start(t, "BACKENDS="+backend.URL, "PROBE_MODE=on-demand", "PROBE_PATH=/", "PROBE_INTERVAL=10ms", "ADMIN_PORT="+port)
	p.await("listening for the proxy's own endpoints")
	ready := func() int {
		resp, err := http.Get("http://127.0.0.1:" + port + "/.spangate/ready")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	if got := ready(); got != http.StatusServiceUnavailable {
		t.Errorf("before a backend has answered: %d, want 503", got)
	}
	up.Store(true)
	for range 10_000 { // each may find a probe of the one before under way
		if ready() == http.StatusOK {
			return
		}
	}
	t.Error("readiness never came")
}
