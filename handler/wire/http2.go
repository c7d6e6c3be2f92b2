package wire

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"spangate/handler/wire/framing"
)

// What an HTTP/2 client may have sent that nobody has read: of one request, and
// of all on a connection. A request that is not read for a while must leave the
// others room.
const (
	streamWindow     = 256 << 10
	connectionWindow = 8 * streamWindow

	// frameSize is what RFC 9113 §4.2 asks everybody to take. net/http's own is more
	// than the window, which is no place for a frame that large.
	frameSize = 16 << 10
)

// http2Servers are those of net/http that connections of HTTP/2 are served by: one, and
// others once that has begun to shut down, and takes no further connection. It is safe
// for concurrent use.
type http2Servers struct {
	another func() *http.Server

	mu  sync.Mutex
	all []*http.Server // of which the last one takes connections
}

// serverOf returns one that serves HTTP/2 alone, with h.
func (s *server) serverOf(h http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: h,
		// OPTIONS * is answered by the handler, as it is a request like any other.
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            s.cfg.HeaderTimeout,
		IdleTimeout:                  s.cfg.IdleTimeout,
		WriteTimeout:                 s.cfg.ClientTimeout, // of answers that no handler gives
		MaxHeaderBytes:               int(s.cfg.MaxHeaderBytes),
		Protocols:                    &protocols,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout:               s.cfg.IdleTimeout,
			MaxReceiveBufferPerConnection: connectionWindow,
			MaxReceiveBufferPerStream:     streamWindow,
			MaxReadFrameSize:              frameSize,
		},
		BaseContext: func(net.Listener) context.Context { return s.requests },
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnState: func(conn net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				s.leftHTTP2(conn.(*framing.Conn))
			}
		},
	}
}

// handOver has the connection served that speaks HTTP/2, or is about to.
func (c *clientConn) handOver() {
	s := c.server
	c.readUntil(time.Time{})
	come := make([]byte, c.in.Buffered())
	c.in.Read(come)
	below := c.Conn
	if c.secure == nil {
		below = &steadyConn{Conn: direct(below), pause: s.cfg.ClientTimeout}
	}
	conn := framing.NewConn(below, come, s.cfg.HeaderTimeout)
	s.clients.turned(c, conn)
	s.http2.serve(conn)
}

// serve has a server serve conn, and does not wait for it.
func (h *http2Servers) serve(conn net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := &oneConn{conn: conn}
	if n := len(h.all); n > 0 {
		h.all[n-1].Serve(one)
	}
	for one.conn != nil {
		server := h.another()
		h.all = append(h.all, server)
		server.Serve(one)
	}
}

// shutdown is [http.Server.Shutdown] of all of them.
func (h *http2Servers) shutdown(ctx context.Context) (err error) {
	for _, server := range h.now() {
		if failed := server.Shutdown(ctx); failed != nil {
			err = failed
		}
	}
	return err
}

func (h *http2Servers) close() {
	for _, server := range h.now() {
		server.Close()
	}
}

func (h *http2Servers) now() []*http.Server {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[:len(h.all):len(h.all)]
}

// oneConn is a listener that accepts one connection.
type oneConn struct {
	conn net.Conn
}

// Accept implements [net.Listener].
func (l *oneConn) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, io.EOF
	}
	conn := l.conn
	l.conn = nil
	return conn, nil
}

// Close implements [net.Listener].
func (l *oneConn) Close() error { return nil }

// Addr implements [net.Listener].
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
