package wire_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"spangate/handler/wire"
)

// TestFloodIsLogged has clients flood, one after the other.
func TestFloodIsLogged(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		cfg := wire.Config{HeaderTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 1 << 16, ShutdownTimeout: time.Second}
		ended <- wire.Serve(ctx, []net.Listener{ln}, http.NotFoundHandler(), cfg, slog.New(slog.NewJSONHandler(&log, nil)))
	}()
	for range 3 {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, http2.ClientPreface)
		framer := http2.NewFramer(conn, conn)
		framer.WriteSettings()
		io.WriteString(conn, strings.Repeat("\x00\x00\x08\x06\x01\x00\x00\x00\x0012345678", 3000)) // PING, acknowledged
		var code http2.ErrCode
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				break
			}
			if goAway, ok := frame.(*http2.GoAwayFrame); ok {
				code = goAway.ErrCode
			}
		}
		conn.Close()
		if code != http2.ErrCodeEnhanceYourCalm {
			t.Errorf("the connection ended with %v", code)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := strings.Count(log.String(), "connection closed for a flood of frames"); got != 1 {
		t.Errorf("%d lines of it, want one for all:\n%s", got, &log)
	}
}
