// Package wire answers: how do bytes become requests, and requests bytes again?
//
// Towards clients it listens, serves and drains ([Listen], [Serve]); towards a
// backend it keeps connections and sends over them ([NewTransport]). Messages that
// can be understood in two ways pass in neither direction: package framing sees to
// requests, and package http1 to responses.
package wire

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"spangate/handler/clock"
	"spangate/handler/wire/framing"
	_ "spangate/handler/wire/xconnect" // before net/http is initialised
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
	// Requests outlive ctx, and end when the drain has run out of time.
	requests, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	s := &server{cfg: cfg, times: times, log: log, listeners: lns, requests: requests, cut: cut, ended: make(chan error, len(lns))}
	s.floods.Every = betweenFloods
	s.http = s.serverOf(&guard{next: h, drain: ctx, running: &s.running, timeout: cfg.ClientTimeout})
	for _, ln := range lns {
		go func() { s.ended <- s.http.Serve(framing.Listener(ln, cfg.ClientTimeout, cfg.HeaderTimeout)) }()
	}
	select {
	case err := <-s.ended:
		s.http.Close()
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
	listeners []net.Listener
	http      *http.Server
	requests  context.Context         // of all of them
	cut       context.CancelCauseFunc // ends it
	ended     chan error              // gets, of each listener, why nobody is accepted any more

	running   atomic.Int64 // handlers
	clients   clients
	farewells farewells
	floods    clock.Pace
}

// betweenFloods is the least time from one line of a flood to the next: a client that
// comes back at once must not fill the log instead.
const betweenFloods = time.Minute

// left lets the connection of a client go, and tells the log if it was a flood that
// ended it.
func (s *server) left(conn *framing.Conn) {
	s.clients.left(conn)
	if !conn.Flooded() {
		return
	}
	if n, passes := s.floods.Pass(); passes {
		s.log.Warn("connection closed for a flood of frames", "peer", conn.RemoteAddr().String(), "connections", n, "error", framing.ErrFlood.Error())
	}
}

func (s *server) serverOf(h http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
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
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(s.requests, farewellsKey{}, &s.farewells)
		},
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnState: func(conn net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.clients.came(conn.(*framing.Conn))
			case http.StateClosed, http.StateHijacked:
				s.left(conn.(*framing.Conn))
			}
		},
	}
}
