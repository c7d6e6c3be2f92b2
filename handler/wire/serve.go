// Package wire answers: how do bytes become requests, and requests bytes again?
//
// Towards clients it listens, serves and drains ([Listen], [Serve]); towards a
// backend it keeps connections and sends over them ([NewTransport]). Messages that
// can be understood in two ways pass in neither direction; package framing sees to
// that.
package wire

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"spangate/handler/fault"
	"spangate/handler/wire/framing"
)

// quietPeriod is how long idle keep-alive connections stay open once a drain
// began: a request that is on its way to one when it is closed would be lost.
// Those that were accepted last have as long for their first request.
const quietPeriod = 500 * time.Millisecond

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

// cutTimeout is the part of cfg.ShutdownTimeout, a twentieth, that handlers
// get to notice that they were cut off.
func cutTimeout(cfg Config) time.Duration { return cfg.ShutdownTimeout / 20 }

// Serve answers requests on ln with h, over HTTP/1.1 and HTTP/2 with prior
// knowledge, until ctx is done. It then drains: it asks the clients of open
// connections to leave with their next response, goes on accepting for
// cfg.ShutdownDelay and a moment more, closes ln, and waits for requests in
// flight. What is left [DrainTimeout] after ctx was done, upgraded connections
// among it, is cut off. Serve returns nil after a drain, whether complete or
// not, and when no handler is running any more, save one that does not heed its
// context.
//
// However far h reads a request's body, and whatever it answers, a client that
// pauses for longer than cfg.ClientTimeout loses its connection, or its stream
// where it does not take the answer; [Forward] sees to pauses of uploads over
// HTTP/2.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, cfg Config, log *slog.Logger) error {
	// Requests outlive ctx, and end when the drain has run out of time.
	requests, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	var running, open atomic.Int64
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler: &guard{next: h, drain: ctx, running: &running, timeout: cfg.ClientTimeout},
		// OPTIONS * is answered by the handler, as it is a request like any other.
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            cfg.HeaderTimeout,
		IdleTimeout:                  cfg.IdleTimeout,
		MaxHeaderBytes:               int(cfg.MaxHeaderBytes),
		Protocols:                    &protocols,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout:               cfg.IdleTimeout,
			MaxReceiveBufferPerConnection: connectionWindow,
			MaxReceiveBufferPerStream:     streamWindow,
			MaxReadFrameSize:              frameSize,
		},
		BaseContext: func(net.Listener) context.Context { return requests },
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		},
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed, http.StateHijacked:
				open.Add(-1)
			}
		},
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(framing.Listener(ln, cfg.ClientTimeout)) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	deadline, cancel := context.WithTimeout(requests, DrainTimeout(cfg))
	defer cancel()
	log.Info("draining", "timeout", DrainTimeout(cfg).String())
	wait(deadline, cfg.ShutdownDelay, nil)
	if open.Load() == 0 {
		ln.Close()
	} else {
		wait(deadline, quietPeriod, nil)
		stopListening(deadline, ln)
		<-failed
		// Shutdown does not answer the first request of a connection that was just
		// accepted; the server without keep-alive does, and then closes it.
		server.SetKeepAlivesEnabled(false)
		wait(deadline, quietPeriod, func() bool { return open.Load() == 0 })
	}
	err := server.Shutdown(deadline)
	// Upgraded connections are no longer the server's: their handlers are waited
	// for here, and cut off like the rest.
	none := func() bool { return running.Load() == 0 }
	if wait(deadline, cfg.ShutdownTimeout, none); err != nil || !none() {
		if n := running.Load(); n > 0 {
			log.Warn("drain ran out of time: cutting off what is left", "requests", n)
		}
		cut(&fault.Error{Type: fault.Shutdown})
		brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), cutTimeout(cfg)/2)
		defer cancel()
		server.Shutdown(brief) // whoever has had no answer gets one yet
		server.Close()
		wait(context.WithoutCancel(ctx), cutTimeout(cfg)/2, none)
	}
	return nil
}

// DrainTimeout is the part of cfg.ShutdownTimeout, three quarters, in which
// requests may finish.
func DrainTimeout(cfg Config) time.Duration { return cfg.ShutdownTimeout * 3 / 4 }

// FlushTimeout is what [Serve] leaves of cfg.ShutdownTimeout, a fifth, for the
// last flush of telemetry.
func FlushTimeout(cfg Config) time.Duration { return cfg.ShutdownTimeout / 5 }

// wait returns after d, when ctx is done, or soon after until has become true.
func wait(ctx context.Context, d time.Duration, until func() bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for until == nil || !until() {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-ticker.C:
		}
	}
}

// guard stands around every request, whoever answers it.
type guard struct {
	next    http.Handler
	drain   context.Context
	running *atomic.Int64
	timeout time.Duration
}

type connKey struct{}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.running.Add(1)
	defer g.running.Add(-1)
	if r.ProtoMajor == 2 && r.Close {
		// The beginning of HTTP/2's preface, which net/http hands out as a request
		// of HTTP/1 where the rest of it does not come. Only the whole is one.
		http.Error(w, "400 Bad Request: malformed message: an HTTP/2 preface that is not whole", http.StatusBadRequest)
		return
	}
	if r.ProtoMajor == 2 {
		// What is left in the server's buffer is written when this returns.
		defer g.limitWrites(w)
	} else if g.drain.Err() != nil || framing.OffersSwitch(r) || r.Method == http.MethodConnect {
		// A connection that cannot be checked any more must not carry another
		// request, unless it is upgraded: its client may have gone on already in
		// the other protocol, or in the tunnel (RFC 9931).
		EndConnection(w, r)
	}
	if conn := ConnOf(r); conn != nil {
		defer conn.Handling()()
	}
	if conn := BodyConn(r); conn != nil {
		defer finish(conn, r.Body)
	}
	g.next.ServeHTTP(w, r)
}

// BodyConn returns the HTTP/1 connection that the body of r comes on, or nil
// when r has none or did not come through [Serve].
func BodyConn(r *http.Request) *framing.Conn {
	if r.ContentLength == 0 {
		return nil
	}
	return ConnOf(r)
}

// ConnOf returns the HTTP/1 connection that r came on, or nil when it did not
// come through [Serve].
func ConnOf(r *http.Request) *framing.Conn {
	if r.ProtoMajor == 2 {
		return nil
	}
	conn, _ := r.Context().Value(connKey{}).(*framing.Conn)
	return conn
}

// EndConnection has r's connection end with the answer that is about to be
// sent. Over HTTP/2, where the word would end all other requests too and a
// stream ends by itself, it does nothing.
func EndConnection(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}

// CloseUnread tells a client that still owes a part of the body of r, in the
// header that is about to be sent, that the connection ends with the answer. A
// next request on it would be lost.
func CloseUnread(w http.ResponseWriter, r *http.Request) {
	if conn := BodyConn(r); conn != nil && conn.Receiving() {
		EndConnection(w, r)
	}
}

// finish ends a request whose body is body. What of it is left unread has
// arrived, else the connection ends; net/http must come upon its end before the
// handler returns. Later, in full duplex, it takes that for a read that goes on
// beside its own of the next request, and closes the connection over it.
func finish(conn *framing.Conn, body io.Reader) {
	if conn.Answered() {
		io.Copy(io.Discard, body)
	}
}

func (g *guard) limitWrites(w http.ResponseWriter) {
	if g.timeout > 0 {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(g.timeout))
	}
}
