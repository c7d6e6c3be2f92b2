package handler

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"spangate/balancer/framing"
)

// quietPeriod is how long idle keep-alive connections stay open once a drain
// began: a request that is on its way to one when it is closed would be lost.
const quietPeriod = 500 * time.Millisecond

// cutTimeout is the part of cfg.ShutdownTimeout, a twentieth, that handlers
// get to notice that they were cut off.
func cutTimeout(cfg Config) time.Duration { return cfg.ShutdownTimeout / 20 }

// Serve answers requests on ln with h, over HTTP/1.1 and HTTP/2 with prior
// knowledge, until ctx is done. It then drains: it accepts new connections for
// cfg.ShutdownDelay more, closes ln, asks the clients of open connections to
// leave with their next response, and waits for requests in flight. What is
// left [DrainTimeout] after ctx was done, upgraded connections among it, is
// cut off. Serve returns nil after a drain, whether complete or not, and when
// no handler is running any more, save one that does not heed its context.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, cfg Config, log *slog.Logger) error {
	// Requests outlive ctx, and end when the drain has run out of time.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var running, open atomic.Int64
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler: &draining{next: h, drain: ctx, running: &running},
		// OPTIONS * is answered by the handler, as it is a request like any other.
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            cfg.HeaderTimeout,
		IdleTimeout:                  cfg.IdleTimeout,
		MaxHeaderBytes:               int(cfg.MaxHeaderBytes),
		Protocols:                    &protocols,
		HTTP2:                        &http.HTTP2Config{SendPingTimeout: cfg.IdleTimeout, WriteByteTimeout: cfg.ClientTimeout},
		BaseContext:                  func(net.Listener) context.Context { return requests },
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
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
	go func() { failed <- server.Serve(framing.Listener(ln)) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}

	deadline, cancel := context.WithTimeout(requests, DrainTimeout(cfg))
	defer cancel()
	log.Info("draining", "timeout", DrainTimeout(cfg).String())
	wait(deadline, cfg.ShutdownDelay, nil)
	ln.Close()
	wait(deadline, quietPeriod, func() bool { return open.Load() == 0 })
	err := server.Shutdown(deadline)
	// Upgraded connections are no longer the server's: their handlers are waited
	// for here, and cut off like the rest.
	none := func() bool { return running.Load() == 0 }
	if wait(deadline, cfg.ShutdownTimeout, none); err != nil || !none() {
		log.Warn("drain ran out of time: cutting off what is left", "requests", running.Load())
		cut()
		server.Close()
		wait(context.WithoutCancel(ctx), cutTimeout(cfg), none)
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

// draining counts the handlers that run, and asks HTTP/1 clients to end their
// connection with the response: all of them once drain is done, and always one
// whose further requests could not be checked; see [framing.OffersSwitch].
type draining struct {
	next    http.Handler
	drain   context.Context
	running *atomic.Int64
}

func (d *draining) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.running.Add(1)
	defer d.running.Add(-1)
	if d.drain.Err() != nil && r.ProtoMajor == 1 || framing.OffersSwitch(r) {
		w.Header().Set("Connection", "close")
	}
	d.next.ServeHTTP(w, r)
}
