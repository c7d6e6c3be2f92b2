package main

import (
	"net/http"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
)

// TestSilentConnections has requests time out over HTTP/2. A connection on which
// nothing comes any more, not even the answer to a PING, carries no other
// request, but where there may be none besides; one whose other end is there does.
func TestSilentConnections(t *testing.T) {
	for name, test := range map[string]struct {
		deaf bool // from the second request on its first connection on
		max  string
		want int64 // connections
	}{
		"its other end is gone":                   {deaf: true, max: "0", want: 2},
		"its other end is gone, of two":           {deaf: true, max: "2", want: 2},
		"its other end is there":                  {max: "0", want: 1},
		"its other end is there, and one allowed": {max: "1", want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{})
			t.Cleanup(func() { close(ended) })
			spoke := make(chan struct{}, 10)
			var connections atomic.Int64
			backend := newHTTP2Backend(t, func(b *http2Backend, stream uint32) {
				connections.Store(max(connections.Load(), int64(b.nth)))
				switch {
				case b.nth > 1 || stream != 3:
					b.answer(stream, "200")
				case test.deaf:
					<-ended
				default: // it answers the PING, and then tells something of its own
					for {
						frame, err := b.framer.ReadFrame()
						if err != nil {
							return
						}
						if ping, ok := frame.(*http2.PingFrame); ok && !ping.IsAck() {
							b.framer.WritePing(true, ping.Data)
							b.framer.WritePing(false, [8]byte{1})
						} else if ok {
							spoke <- struct{}{} // what was written before has been read
							return
						}
					}
				}
			})
			p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "BACKEND_RESPONSE_TIMEOUT=2s", "BACKEND_MAX_CONNECTIONS="+test.max)
			var got []int
			for i := range 5 {
				resp, _ := p.ask(t, "GET", "/", nil)
				got = append(got, resp.StatusCode)
				if i == 1 && !test.deaf {
					<-spoke
				}
			}
			want := []int{http.StatusOK, http.StatusGatewayTimeout, http.StatusOK, http.StatusOK, http.StatusOK}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("answered %d, want %d", got, want)
				}
			}
			if n := connections.Load(); n != test.want {
				t.Errorf("%d connections, want %d", n, test.want)
			}
		})
	}
}
