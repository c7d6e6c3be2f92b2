package wire_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"spangate/handler/wire"
)

// TestFloodsAreTold has clients flood, one after the other.
func TestFloodsAreTold(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var floods atomic.Int32
	hooks := wire.Hooks{Flooded: func(peer net.Addr, err error) {
		if err == nil || !strings.HasPrefix(peer.String(), "127.0.0.1:") {
			t.Errorf("%v of %v", err, peer)
		}
		floods.Add(1)
	}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		cfg := wire.Config{HeaderTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 1 << 16, ShutdownTimeout: time.Second}
		lns := wire.Listeners{HTTP: ln}.With(cfg, nil, hooks).Requests()
		ended <- wire.Serve(ctx, lns, http.NotFoundHandler(), cfg, slog.New(slog.DiscardHandler))
	}()
	for range 3 {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, http2.ClientPreface)
		http2.NewFramer(conn, nil).WriteSettings()
		io.WriteString(conn, strings.Repeat("\x00\x00\x08\x06\x01\x00\x00\x00\x0012345678", 3000)) // PING, acknowledged
		// Nothing else would end it. Whether the client is told why depends on where
		// the server's last frame ends.
		io.Copy(io.Discard, conn)
		conn.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := floods.Load(); got != 3 {
		t.Errorf("told of %d, want 3", got)
	}
}
