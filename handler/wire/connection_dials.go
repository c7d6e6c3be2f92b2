package wire

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"spangate/handler/fault"
)

// dialMore begins to make the connections that those who wait need, and returns
// unused ones that must make room for these. The caller holds mu.
func (p *connectionPool) dialMore() (superfluous []*connection) {
	for p.waiters.Load() > 0 {
		needs := p.firstWaiting()
		if !p.lacks(needs) {
			needs = onlyHTTP1 - needs // the other one
		}
		if !p.lacks(needs) {
			return superfluous
		}
		if p.max > 0 && p.open >= p.max {
			return append(superfluous, p.unused()...)
		}
		p.open++
		p.dialing[needs]++
		p.making[needs] = &making{}
		go p.dial(p.target, needs, p.making[needs])
	}
	return superfluous
}

// lacks reports whether another connection is to be made for those who need this
// protocol. The caller holds mu.
func (p *connectionPool) lacks(needs protocol) bool {
	return p.waiting[needs].Len() > p.dialing[needs]*p.roomFor(needs)
}

func (p *connectionPool) roomFor(needs protocol) int {
	if needs == anyProtocol {
		return p.room
	}
	return 1
}

// unused takes one connection of HTTP/2 that carries nothing out. The caller
// holds mu.
func (p *connectionPool) unused() []*connection {
	for i, c := range p.shared {
		if c.client.InFlight() == 0 {
			p.shared = slices.Delete(p.shared, i, i+1)
			return []*connection{c}
		}
	}
	return nil
}

// dial makes a connection for whoever waits when it is there. It does not end
// with the request that needed it: another one may use what comes of it.
func (p *connectionPool) dial(target string, needs protocol, m *making) {
	var c *connection
	lost := false // it was closed before it could be added; guarded by mu
	made, err := p.connect(context.Background(), target, needs, m, func() {
		p.mu.Lock()
		p.open--
		lost = true
		if c != nil {
			p.forget(c)
		}
		idle := p.dialMore()
		p.mu.Unlock()
		discard(idle...)
	})
	p.mu.Lock()
	c = made
	p.dialing[needs]--
	if p.making[needs] == m {
		p.making[needs] = nil
	}
	switch {
	case err != nil:
		p.fail(needs, delivery{err: err, making: m})
	case c.http1 == nil:
		p.share(delivery{c: c, making: m}, lost)
	default:
		if needs == anyProtocol {
			p.room = 1
		}
		if !p.deliver(delivery{c: c, making: m}) && (lost || !p.store(c)) {
			discard(c)
		}
	}
	idle := p.dialMore()
	p.mu.Unlock()
	discard(idle...)
}

// share has a connection of HTTP/2 serve those who wait. The caller holds mu.
func (p *connectionPool) share(d delivery, lost bool) {
	c := d.c
	c.client.SetStateHook(func(*http.ClientConn) {
		if p.waiters.Load() > 0 && !p.serving.Swap(true) {
			go p.serve() // the caller may hold what serve needs
		}
	})
	if !lost {
		p.shared = append(p.shared, c)
		p.watch(time.Now())
	}
	p.room = min(max(c.client.Available(), 1), streamsPerConnection)
	served := false
	for p.waiting[anyProtocol].Len() > 0 && c.reserve() {
		p.answer(anyProtocol, d)
		served = true
	}
	if !served {
		p.fail(anyProtocol, delivery{err: &fault.Error{Type: fault.ConnectionReset, Err: errNoStream}, making: d.making})
	}
}

var errNoStream = errors.New("a new connection of HTTP/2 that takes no request")

// fail tells those for whom there would have been room in a connection why there
// is none. The caller holds mu.
func (p *connectionPool) fail(needs protocol, d delivery) {
	for n := p.roomFor(needs); n > 0 && p.waiting[needs].Len() > 0; n-- {
		p.answer(needs, d)
	}
}

// forget drops c, which has been closed. The caller holds mu.
func (p *connectionPool) forget(c *connection) {
	is := func(other *connection) bool { return other == c }
	if c.http1 == nil {
		p.shared = slices.DeleteFunc(p.shared, is)
	} else {
		p.idle = slices.DeleteFunc(p.idle, is)
	}
}
