package wire

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// TestPingsAsGRPCAllows has a stream, such as a gRPC watch, stand still for an
// hour: the connection is looked after, but no more often than servers of gRPC
// put up with, which is once in five minutes.
func TestPingsAsGRPCAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		d := &connector{
			dial:        func(context.Context, string, string) (net.Conn, error) { return near, nil },
			connections: &connections{}, http2: clientHTTP2(TransportConfig{}),
		}
		var pings []time.Time
		served := make(chan struct{})
		go func() {
			defer close(served)
			io.ReadFull(far, make([]byte, len(http2.ClientPreface)))
			framer := http2.NewFramer(far, far)
			go http2.NewFramer(far, nil).WriteSettings() // a pipe holds nothing
			for {
				frame, err := framer.ReadFrame()
				if err != nil {
					return
				}
				if ping, ok := frame.(*http2.PingFrame); ok {
					pings = append(pings, time.Now())
					framer.WritePing(true, ping.Data)
				}
			}
		}()
		c, err := d.connect(t.Context(), "backend:80", anyProtocol, &making{}, func() {})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, "GET", "http://backend/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.client.RoundTrip(r); ctx.Err() == nil {
			t.Errorf("the stream ended early: %v", err)
		}
		near.Close()
		<-served
		if len(pings) < 3 {
			t.Fatalf("%d pings in an hour", len(pings))
		}
		pings = pings[:len(pings)-1] // the last one may go with the end of the request
		for i := 1; i < len(pings); i++ {
			if gap := pings[i].Sub(pings[i-1]); gap <= 5*time.Minute {
				t.Errorf("a ping %v after the one before", gap)
			}
		}
	})
}
