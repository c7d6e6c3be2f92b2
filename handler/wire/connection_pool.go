package wire

import (
	"container/list"
	"context"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// idleConnections is how many unused connections of HTTP/1.1 to a backend are
	// kept: fewer than are used at a time under load are closed and made all the time.
	idleConnections = 2048
	// streamsPerConnection is how many requests share a connection of HTTP/2 at
	// most. A backend may allow fewer.
	streamsPerConnection = 256
	// lookOver is how often unused ones of HTTP/1.1 are looked at.
	lookOver = time.Second
	// looksAtOnce bounds how many are, while everybody waits: those that are the oldest.
	looksAtOnce = 64
	// lookAgain is how soon a stream is found that became free untold.
	lookAgain = 10 * time.Millisecond
)

// connectionPool is the connections to one backend: those in use, those that
// are kept, and the requests that wait for one, first come first served. It is
// safe for concurrent use.
//
// A connection of HTTP/1.1 carries one request at a time. The one used last is
// used next, so that those too many get old. One of HTTP/2 carries several, and
// the first one that has room is used, for the same reason.
type connectionPool struct {
	connect connectFunc
	max     int           // connections, those being made included; 0: no limit
	keep    time.Duration // how long unused ones of HTTP/1.1 are kept; 0: until they are closed

	waiters atomic.Int64 // in waiting
	serving atomic.Bool  // somebody is about to serve

	mu      sync.Mutex
	target  string        // host and port of all requests' URLs
	idle    []*connection // of HTTP/1.1, the one used last at the end
	shared  []*connection // of HTTP/2
	waiting [protocols]list.List
	dialing [protocols]int
	making  [protocols]*making // the one begun last; nil: it is over
	arrived uint64             // waiters so far
	open    int                // connections, those being made included
	room    int                // requests that a new connection is expected to carry at once
	retired bool               // keeps none, until one is asked for
	sweep   *time.Timer        // looks over those that there are; nil: there are none
	looked  time.Time          // when it did
	look    *time.Timer        // for streams that have become free; nil: nobody waits
}

// connectFunc makes a connection for what a request needs, tells m how that goes, and
// has closed called when the connection is closed; when there is none, at once.
type connectFunc func(ctx context.Context, authority string, needs protocol, m *making, closed func()) (*connection, error)

// waiter is a request without a connection.
type waiter struct {
	number uint64
	got    chan delivery // has room for one
}

// delivery is what comes of asking for a connection.
type delivery struct {
	c      *connection
	err    error   // why there is none
	waited bool    // it was not at hand
	making *making // that was waited for; nil: others' requests were
}

// take returns a connection for one request. One that was used before is looked
// at first: whether it still is open, and nothing has come on it. Its errors are
// *[fault.Error], with nothing sent.
func (p *connectionPool) take(ctx context.Context, u *url.URL, needs protocol) delivery {
	waited := false
	for {
		d := p.next(ctx, u, needs)
		d.waited = d.waited || waited
		if d.err != nil || !d.c.used.Load() || d.c.quiet() {
			return d
		}
		discard(d.c)
		waited = d.waited
	}
}

// next returns a connection that is free, or waits for one.
func (p *connectionPool) next(ctx context.Context, u *url.URL, needs protocol) delivery {
	p.mu.Lock()
	p.retired = false
	if p.target == "" {
		p.target = target(u)
	}
	now := time.Now()
	discard(p.afterStandstill(now)...)
	for p.waiting[needs].Len() == 0 { // else it is not this one's turn
		c, dead := p.free(needs, now)
		if c == nil {
			break
		}
		p.mu.Unlock()
		if !dead {
			return delivery{c: c}
		}
		discard(c)
		p.mu.Lock()
	}
	p.arrived++
	w := &waiter{number: p.arrived, got: make(chan delivery, 1)}
	place := p.waiting[needs].PushBack(w)
	p.waiters.Add(1)
	p.handOut() // what became free before there was anybody to tell of it
	idle := p.dialMore()
	p.mu.Unlock()
	discard(idle...)

	select {
	case d := <-w.got:
		d.waited = true
		return d
	case <-ctx.Done():
	}
	p.mu.Lock()
	making := p.making[needs]
	select {
	case d := <-w.got:
		p.mu.Unlock()
		if d.c != nil {
			p.giveBack(d.c)
		}
	default:
		p.waiting[needs].Remove(place)
		p.waiters.Add(-1)
		p.mu.Unlock()
	}
	return delivery{err: notSent(ctx), waited: true, making: making}
}

// free takes a connection that is there. One that is dead is to be closed, and
// another one asked for. The caller holds mu.
func (p *connectionPool) free(needs protocol, now time.Time) (c *connection, dead bool) {
	if needs == anyProtocol {
		for i, c := range p.shared {
			if !c.silent() && c.reserve() {
				return c, false
			}
			if c.client.InFlight() == 0 { // it takes no more: the backend says goodbye, or nothing
				p.shared = slices.Delete(p.shared, i, i+1)
				return c, true
			}
		}
		for _, c := range p.shared {
			if p.mayUse(c) && c.reserve() {
				return c, false
			}
		}
	}
	last := len(p.idle) - 1
	if last < 0 {
		return nil, false
	}
	c, p.idle[last] = p.idle[last], nil
	p.idle = p.idle[:last]
	c.taken = now
	// By the clock on the wall: the other one stands still while a machine sleeps.
	return c, p.keep > 0 && now.Sub(c.idleSince.Round(0)) > p.keep
}

// mayUse reports whether c, of HTTP/2, is to carry further requests: not while it
// is silent, unless there may be no other. The caller holds mu.
func (p *connectionPool) mayUse(c *connection) bool {
	return !c.silent() || p.max > 0 && p.open >= p.max
}

// giveBack has c, which is in order, serve whoever waits, or kept.
func (p *connectionPool) giveBack(c *connection) {
	if c.http1 == nil {
		c.client.Release()
		p.serve()
		return
	}
	c.taken = time.Time{}
	p.mu.Lock()
	kept := p.deliver(delivery{c: c}) || p.store(c)
	p.mu.Unlock()
	if !kept {
		discard(c)
	}
}

// deliver gives a connection of HTTP/1.1 to the one who has waited longest. The caller
// holds mu.
func (p *connectionPool) deliver(d delivery) bool {
	first := p.firstWaiting()
	if first == protocols {
		return false
	}
	p.answer(first, d)
	return true
}

// store keeps c, of HTTP/1.1, if there is room. The caller holds mu.
func (p *connectionPool) store(c *connection) bool {
	if p.retired || len(p.idle) >= idleConnections {
		return false
	}
	c.idleSince = time.Now()
	c.used.Store(true)
	p.idle = append(p.idle, c)
	p.watch(c.idleSince)
	return true
}

// watch has those that there are looked over, from now on. The caller holds mu.
func (p *connectionPool) watch(now time.Time) {
	if p.sweep == nil {
		p.looked = now
		p.sweep = time.AfterFunc(lookOver, p.closeOld)
	}
}

// closeOld closes what has not been used for long, and what the backend has closed.
func (p *connectionPool) closeOld() {
	p.mu.Lock()
	now := time.Now()
	old := p.afterStandstill(now)
	looked := 0
	p.idle = slices.DeleteFunc(p.idle, func(c *connection) bool {
		looked++
		if p.keep > 0 && now.Sub(c.idleSince) >= p.keep || looked <= looksAtOnce && !c.quiet() {
			old = append(old, c)
			return true
		}
		return false
	})
	p.sweep = nil
	if len(p.idle)+len(p.shared) > 0 {
		p.watch(now)
	}
	p.mu.Unlock()
	closeAll(old)
}

// closeIdle closes what is not in use, and has what is in use closed after it.
func (p *connectionPool) closeIdle() {
	p.mu.Lock()
	p.retired = true
	idle := p.idle
	p.idle = nil
	for _, c := range p.shared {
		if c.client.InFlight() == 0 {
			idle = append(idle, c)
		}
	}
	p.mu.Unlock()
	closeAll(idle)
}

func closeAll(connections []*connection) {
	for _, c := range connections {
		c.close()
	}
}

// discard closes connections without waiting, as what ends TLS may be long in
// being sent.
func discard(connections ...*connection) {
	if len(connections) > 0 {
		go closeAll(connections)
	}
}

// serve gives what streams there are to those who wait.
func (p *connectionPool) serve() {
	p.serving.Store(false)
	p.mu.Lock()
	p.handOut()
	idle := p.dialMore()
	p.mu.Unlock()
	discard(idle...)
}

// handOut gives what streams there are to those who have waited longest. The
// caller holds mu.
//
// A connection does not tell of each that becomes free: net/http leaves one out
// that does while it tells of another, where as many are free again afterwards as
// before. So while somebody waits it is looked at every now and then.
func (p *connectionPool) handOut() {
	for _, c := range p.shared {
		for p.waiting[anyProtocol].Len() > 0 && p.mayUse(c) && c.reserve() {
			p.answer(anyProtocol, delivery{c: c})
		}
	}
	if p.waiting[anyProtocol].Len() > 0 && len(p.shared) > 0 && p.look == nil {
		p.look = time.AfterFunc(lookAgain, func() {
			p.mu.Lock()
			p.look = nil
			p.mu.Unlock()
			p.serve()
		})
	}
}

// answer ends the wait of the first of those who need the same. The caller holds
// mu.
func (p *connectionPool) answer(needs protocol, d delivery) {
	p.waiting[needs].Remove(p.waiting[needs].Front()).(*waiter).got <- d
	p.waiters.Add(-1)
}

// firstWaiting returns what is needed by the one who has waited longest, or
// protocols when nobody waits. The caller holds mu.
func (p *connectionPool) firstWaiting() protocol {
	first, number := protocols, uint64(0)
	for needs := range protocols {
		if e := p.waiting[needs].Front(); e != nil {
			if w := e.Value.(*waiter); first == protocols || w.number < number {
				first, number = needs, w.number
			}
		}
	}
	return first
}
