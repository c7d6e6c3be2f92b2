package wire_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"spangate/balancer"
	"spangate/handler/wire"
)

// TestAStreamThatBecomesFreeIsUsed has requests take turns over the one stream
// that another, long one, leaves on the only connection there may be, two at a
// time: the one that comes while it becomes free must not miss that.
func TestAStreamThatBecomesFreeIsUsed(t *testing.T) {
	held := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			http.NewResponseController(w).Flush()
			<-held
		}
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 2}
	server.Start()
	defer server.Close()
	defer close(held)
	b := backendAt(t, balancer.Config{TransportConfig: wire.TransportConfig{MaxConnections: 1}}, strings.Replace(server.URL, "http", "h2c", 1))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	long := httptest.NewRequest("GET", "/path", nil).WithContext(ctx)
	long.URL.Path = "/long"
	resp, err := b.RoundTrip(long)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for round := range 2000 {
		var clients sync.WaitGroup
		for range 2 {
			clients.Go(func() {
				resp, err := b.RoundTrip(httptest.NewRequest("GET", "/path", nil).WithContext(ctx))
				if err != nil {
					t.Errorf("round %d: %v", round, err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			})
		}
		clients.Wait()
		if t.Failed() {
			return
		}
	}
}
