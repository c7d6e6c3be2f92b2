// Package wire answers: how do bytes become requests, and requests bytes again?
//
// Towards clients it listens, serves and drains ([Listen], [Serve]); towards a
// backend it keeps connections and sends over them ([NewTransport]). Messages that
// can be understood in two ways pass in neither direction; package http1 sees to that.
//
// HTTP/1 is spoken by this package itself. HTTP/2 is net/http's, connection by
// connection.
package wire

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"spangate/handler/clock"
	"spangate/handler/wire/framing"
	_ "spangate/handler/wire/xconnect" // before net/http is initialised
)

// Serve answers requests on each of lns with h, over HTTP/1.1 and HTTP/2 with prior
// knowledge, until ctx is done. It then drains: it asks the clients of open
// connections to leave with their next response, goes on accepting for
// cfg.ShutdownDelay and a moment more, closes lns, and waits for requests in
// flight. Who has called [OnFarewell] is told in the meantime. What is left once
// three quarters of cfg.ShutdownTimeout are over, upgraded connections among it, is
// cut off. Serve returns nil after a drain, whether complete or not, and when no
// handler is running any more, save one that does not heed its context.
//
// However far h reads a request's body, and whatever it answers, a client that
// pauses for longer than cfg.ClientTimeout loses its connection, or its stream
// where it does not take the answer; handler.Forward sees to pauses of uploads over
// HTTP/2.
func Serve(ctx context.Context, lns []net.Listener, h http.Handler, cfg Config, log *slog.Logger) error {
	return serve(ctx, lns, h, cfg, cfg.drainTimes(), log)
}

// ServeBriefly is [Serve] without a drain worth the name: what it answers is over at
// once, and what is left of cfg.ShutdownTimeout is for others.
func ServeBriefly(ctx context.Context, lns []net.Listener, h http.Handler, cfg Config, log *slog.Logger) error {
	times := cfg.drainTimes()
	return serve(ctx, lns, h, cfg, drainTimes{drain: times.drain / 100, cut: times.cut / 100}, log)
}

func serve(ctx context.Context, lns []net.Listener, h http.Handler, cfg Config, times drainTimes, log *slog.Logger) error {
	s := &server{cfg: cfg, times: times, log: log, handler: h, leaving: ctx, listeners: lns, ended: make(chan error, len(lns))}
	if len(lns) > 0 {
		s.hooks = hooksOf(lns[0])
	}
	// Requests outlive ctx, and end when the drain has run out of time.
	requests, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	s.requests, s.cut = context.WithValue(requests, farewellsKey{}, &s.farewells), cut
	s.http2.another = func() *http.Server { return s.serverOf(&guard{server: s}) }
	for _, ln := range lns {
		go func() { s.ended <- s.accept(ln) }()
	}
	select {
	case err := <-s.ended:
		s.close()
		return err
	case <-ctx.Done():
		s.drain()
		return nil
	}
}

// server is listeners that are served.
type server struct {
	cfg       Config
	times     drainTimes
	log       *slog.Logger
	handler   http.Handler
	leaving   context.Context // is done when the drain begins
	listeners []net.Listener
	hooks     Hooks // of the listeners
	http2     http2Servers
	requests  context.Context         // of all of them
	cut       context.CancelCauseFunc // ends it
	ended     chan error              // gets, of each listener, why nobody is accepted any more

	running   atomic.Int64 // handlers
	clients   clients
	farewells farewells
}

// accept serves who comes to ln, until that fails for good.
func (s *server) accept(ln net.Listener) error {
	for pause := time.Duration(0); ; {
		conn, err := ln.Accept()
		if err == nil {
			pause = 0
			c := newClientConn(s, conn)
			s.clients.came(c)
			go c.serve()
			continue
		}
		if errno, ok := errors.AsType[syscall.Errno](err); !ok || !errno.Temporary() {
			return err
		}
		// Connections end, and descriptors come free again.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		clock.Sleep(s.requests, pause)
	}
}

// close ends all connections.
func (s *server) close() {
	for _, ln := range s.listeners {
		ln.Close()
	}
	s.http2.close()
	s.clients.close()
}

// leftHTTP2 lets the connection of a client go, and tells if it was a flood that ended
// it.
func (s *server) leftHTTP2(conn *framing.Conn) {
	s.clients.leftHTTP2(conn)
	if conn.Flooded() && s.hooks.Flooded != nil {
		s.hooks.Flooded(conn.RemoteAddr(), framing.ErrFlood)
	}
}
