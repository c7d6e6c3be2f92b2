package wire

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"spangate/handler/wire/framing"
)

// clientExchange is one request over HTTP/1, and its answer: the [http.ResponseWriter] that
// the handler gets. The answer is for one goroutine at a time, as it is everywhere.
// The body may be read by another one, and the context is for all.
type clientExchange struct {
	memory  *memory
	conn    *clientConn
	request *http.Request
	context requestContext
	body    requestBody
	answer

	// What follows is said by the request as it came: from then on it is the handler's.

	old      bool // it is of HTTP/1.0
	asksHead bool // for no content
	keep     bool // a client of HTTP/1.0 would like to send another one
	ends     bool // no other one follows
	switches bool // the client may have gone on in another protocol
	carries  bool // content
	// over says that the handler has returned, or has taken the connection.
	over     atomic.Bool
	hijacked bool

	mu    sync.Mutex // of what watches over the client, and of the body
	watch watch
}

// handle reads a request and handles it. It reports whether another one may follow.
func (c *clientConn) handle() bool {
	x := c.next()
	if x == nil || !x.handle() {
		return false
	}
	x.memory.release()
	return true
}

// next reads a request, and returns nil if it cannot be read, and has been refused. It
// is apart from what handles the request, and so from the stack of that.
func (c *clientConn) next() *clientExchange {
	if c.in.Peek()[0] == preface[0] {
		if n := c.preface(); n > len("PRI * HTTP/2.0\r") {
			c.refuse(nil, errPreface(c.served > 0))
			return nil
		}
	}
	head, r, err := c.in.ReadRequestHead(int(c.server.cfg.MaxHeaderBytes))
	if err != nil {
		c.refuse(r, err)
		return nil
	}
	m := c.takeMemory()
	r, f, err := m.request.Parse(head)
	if err != nil {
		c.refuse(r, err)
		return nil
	}
	c.served++
	x := &m.exchange
	x.memory, x.conn, x.context.exchange = m, c, x
	x.old, x.asksHead, x.keep, x.ends, x.switches = r.ProtoMinor == 0, r.Method == http.MethodHead, f.Keep, r.Close, offersSwitch(r)
	*r = *r.WithContext(&x.context) // in place: nobody else has it yet
	x.request = r
	x.body.exchange = x
	x.body.content = c.in.RequestBody(f)
	x.request.Body = http.NoBody
	c.name(x.request)
	x.header = m.header
	x.answer.length = -1
	if x.carries = !x.body.content.Ended(); x.carries {
		x.request.Body = &x.body
		x.body.expected = awaitsContinue(x.request)
		c.receiving = x
	}
	return x
}

// handle handles the request, and reports whether another one may follow.
func (x *clientExchange) handle() bool {
	c := x.conn
	c.current.Store(x)
	returned := x.run()
	again := returned && x.finish()
	c.current.Store(nil)
	x.context.cancel()
	if x.hijacked {
		return false
	}
	if whole := x.endBody(); !whole || !again {
		// What the client sends yet must not cost it the answer (RFC 9112 §9.6).
		c.lingers = !whole || c.in.Buffered() > 0 || returned && x.err == nil && !x.ends
		return false
	}
	c.receiving, c.headBy = nil, time.Time{}
	c.idleSince = time.Now()
	return true
}

// run calls the handler, and reports whether that has returned by itself.
func (x *clientExchange) run() (returned bool) {
	s := x.conn.server
	s.running.Add(1)
	defer func() {
		s.running.Add(-1)
		x.endWatch()
		if returned {
			return
		}
		why := recover()
		if why != nil && why != http.ErrAbortHandler {
			s.log.Debug(fmt.Sprintf("panic serving %s: %v\n%s", x.conn.remote, why, debug.Stack()))
		}
		x.breakOff()
		if why == nil { // by [runtime.Goexit]: nobody is here any more to do it
			x.conn.end()
		}
	}()
	s.handler.ServeHTTP(x, x.request)
	return true
}

// errOver is what a handler gets that goes on with an answer after it has returned.
var errOver = errors.New("the request is over")

// ended returns why nothing may be done any more with x.
func (x *clientExchange) ended() error {
	switch {
	case x.hijacked:
		return http.ErrHijacked
	case x.over.Load():
		return errOver
	}
	return nil
}

// EnableFullDuplex is for [http.ResponseController]. A body can always be read beside
// the answer.
func (x *clientExchange) EnableFullDuplex() error { return nil }

// SetReadDeadline is for [http.ResponseController]: reads of the body fail from t on,
// unless that is zero. Until then there is no other bound.
func (x *clientExchange) SetReadDeadline(t time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.ended(); err != nil {
		return err
	}
	x.body.asked = t
	if x.conn.receiving == x && !x.body.content.Ended() {
		x.conn.readUntil(t)
	}
	return nil
}

// SetWriteDeadline is for [http.ResponseController]: writes that begin behind it fail from
// t on, unless that is zero.
func (x *clientExchange) SetWriteDeadline(t time.Time) error {
	x.writing.Lock()
	defer x.writing.Unlock()
	if err := x.ended(); err != nil {
		return err
	}
	x.writeBy = t // each write heeds it
	return nil
}

// offersSwitch reports whether the client may have gone on in another protocol, or in
// a tunnel, behind its request. Where it is not upgraded the connection must not carry
// another one (RFC 9931).
func offersSwitch(r *http.Request) bool {
	return r.Method == http.MethodConnect || framing.OffersSwitch(r)
}
