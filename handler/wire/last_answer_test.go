package wire_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// halves is a connection of which the two directions end one by one.
type halves struct {
	net.Conn
	ended chan string // what was ended
}

func (c halves) CloseWrite() error {
	c.ended <- "sending"
	return nil
}

func (c halves) Close() error {
	c.ended <- "all"
	return c.Conn.Close()
}

// A connection that ends although its client may go on to send is not closed before the
// client has read the answer.
func TestAnswersThatTheClientDoesNotExpectToBeTheLast(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: x\r\n"
	for name, test := range map[string]struct {
		sent string
		h    http.HandlerFunc
		want string // ends first
	}{
		"the client says so":     {get + "Connection: close\r\n\r\n", func(http.ResponseWriter, *http.Request) {}, "all"},
		"HTTP/1.0":               {"GET / HTTP/1.0\r\n\r\n", func(http.ResponseWriter, *http.Request) {}, "all"},
		"the handler says so":    {get + "\r\n", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }, "sending"},
		"a switch is not made":   {get + "Upgrade: x\r\nConnection: Upgrade\r\n\r\n", func(http.ResponseWriter, *http.Request) {}, "sending"},
		"content is not read":    {get + "Content-Length: 5\r\n\r\n", func(http.ResponseWriter, *http.Request) {}, "sending"},
		"nor is the last one's":  {get + "Connection: close\r\nContent-Length: 5\r\n\r\n", func(http.ResponseWriter, *http.Request) {}, "sending"},
		"the answer breaks off":  {get + "\r\n", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "all"},
		"a request is malformed": {get + "\x00\r\n\r\n", nil, "sending"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := wiretest.NewPipes()
				ctx, leave := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() {
					ended <- wire.Serve(ctx, []net.Listener{ln}, test.h, wire.Config{MaxHeaderBytes: 1 << 12, ShutdownTimeout: time.Second}, slog.New(slog.DiscardHandler))
				}()
				near, far := net.Pipe()
				conn := halves{far, make(chan string, 10)}
				ln.Accepted <- conn
				go io.Copy(io.Discard, near)
				io.WriteString(near, test.sent)
				if got := <-conn.ended; got != test.want {
					t.Errorf("what ends first is %s, want %s", got, test.want)
				}
				near.Close()
				leave()
				<-ended
			})
		})
	}
}
