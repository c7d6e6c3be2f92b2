package wire

import (
	"context"
	"sync"
	"time"

	"spangate/handler/clock"
	"spangate/handler/fault"
)

// quietPeriod is how long idle keep-alive connections stay open once a drain
// began: a request that is on its way to one when it is closed would be lost.
// Those that were accepted last have as long for their first request.
const quietPeriod = 500 * time.Millisecond

// drain lets the clients go: first those without a request, then each with its
// answer, and in the end whoever is left.
func (s *server) drain() {
	var said sync.WaitGroup
	deadline, cancel := context.WithTimeout(s.requests, s.times.drain)
	defer said.Wait()
	defer cancel()
	s.log.Info("draining", "timeout", s.times.drain.String())
	clock.Sleep(deadline, s.times.delay)
	said.Go(func() { s.farewells.say(deadline, s.times.farewells()) })
	s.clients.goAway()
	unused := s.clients.none()
	if !unused {
		clock.Sleep(deadline, quietPeriod)
	}
	var stopping sync.WaitGroup
	for _, ln := range s.listeners {
		stopping.Go(func() {
			stopListening(deadline, ln, unused)
			<-s.ended
		})
	}
	stopping.Wait()
	s.clients.closeIdle()
	wait(deadline, quietPeriod, s.clients.none)
	err := s.shutdown(deadline)
	// Upgraded connections are no longer the server's: their handlers are waited
	// for here, and cut off like the rest.
	wait(deadline, s.times.drain, s.idle)
	if err != nil || !s.idle() {
		s.cutOff()
	}
}

// shutdown ends the connections that carry no request, again and again, until there are
// none: one that begins HTTP/2 after a call of [http.Server.Shutdown] is not told by it
// to leave (golang/go#81153).
func (s *server) shutdown(ctx context.Context) error {
	for !s.clients.none() {
		s.clients.closeIdle()
		round, cancel := context.WithTimeout(ctx, quietPeriod)
		err := s.http2.shutdown(round)
		if err == nil { // what is left is HTTP/1's
			clock.Sleep(round, 5*time.Millisecond)
		}
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// idle reports whether no request is handled.
func (s *server) idle() bool { return s.running.Load() == 0 }

// cutOff ends what outlasts the drain, and waits a moment for the handlers.
func (s *server) cutOff() {
	if n := s.running.Load(); n > 0 {
		s.log.Warn("drain ran out of time: cutting off what is left", "requests", n)
	}
	ctx := context.WithoutCancel(s.requests)
	s.cut(&fault.Error{Type: fault.Shutdown})
	s.clients.cutOff()
	brief, cancel := context.WithTimeout(ctx, s.times.cut/2)
	defer cancel()
	s.shutdown(brief) // whoever has had no answer gets one yet
	s.close()
	wait(ctx, s.times.cut/2, s.idle)
}

// drainTimes are how SHUTDOWN_TIMEOUT is spent. What they leave of it, a fifth, is
// [Config.FlushTimeout].
type drainTimes struct {
	delay time.Duration // new connections are still accepted
	drain time.Duration // requests may finish, delay included: three quarters
	cut   time.Duration // handlers get to notice that they were cut off: a twentieth
}

// farewells is how long after the delay the last WebSocket is told: so late that
// those of them are few who come back at a time, and with time left to answer.
func (t drainTimes) farewells() time.Duration { return (t.drain - t.delay) * 2 / 3 }

func (c Config) drainTimes() drainTimes {
	return drainTimes{delay: c.ShutdownDelay, drain: c.ShutdownTimeout * 3 / 4, cut: c.ShutdownTimeout / 20}
}

// FlushTimeout is what [Serve] leaves of ShutdownTimeout, a fifth, for the
// last flush of telemetry.
func (c Config) FlushTimeout() time.Duration { return c.ShutdownTimeout / 5 }

// wait returns after d, when ctx is done, or soon after until has become true.
func wait(ctx context.Context, d time.Duration, until func() bool) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for !until() && clock.Sleep(ctx, 5*time.Millisecond) == nil {
	}
}
