package wire_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"spangate/handler/wire"
)

// busyListener accepts nobody before its socket is asked for, as it is when the
// listener is about to be closed.
type busyListener struct {
	*net.TCPListener
	asked func()
	busy  <-chan struct{}
}

func (l *busyListener) SyscallConn() (syscall.RawConn, error) {
	l.asked()
	return l.TCPListener.SyscallConn()
}

func (l *busyListener) Accept() (net.Conn, error) {
	<-l.busy
	return l.TCPListener.Accept()
}

func (l *busyListener) Close() error {
	l.asked() // who accepts has to learn of it
	return l.TCPListener.Close()
}

// Who has connected is answered by a process that leaves, though it has no other client.
func TestServeAnswersWhoWaitsToBeAccepted(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	busy := make(chan struct{})
	listener := &busyListener{ln.(*net.TCPListener), sync.OnceFunc(func() { close(busy) }), busy}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var ended sync.WaitGroup
	defer ended.Wait()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	leave()
	ended.Go(func() {
		wire.Serve(ctx, []net.Listener{listener}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
			wire.Config{MaxHeaderBytes: 4 << 10, ShutdownTimeout: time.Minute}, slog.New(slog.DiscardHandler))
	})
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK\r\n") {
		t.Errorf("answered %q, %v", answer, err)
	}
}
