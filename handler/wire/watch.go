package wire

import (
	"net/http"
	"os"
	"time"
)

// watch looks, beside the handler, for what the client does when its request has come
// whole: whether it leaves, or sends another one. A client that closes its sending
// side leaves. It is guarded by the exchange's mu.
type watch struct {
	wanted bool
	ended  chan struct{} // is closed when nobody looks any more; nil: nobody has looked
	seen   bool          // something has come, or the end
	onNext func()        // is told of that
}

// wantWatch has the client be watched, as soon as its request has come whole.
func (x *clientExchange) wantWatch() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.watch.wanted = true
	x.startWatch()
}

// startWatch begins to look if that is wanted and can be done: the one who reads the
// body would be in the way. The caller holds mu.
func (x *clientExchange) startWatch() {
	if !x.watch.wanted || x.watch.ended != nil || x.over.Load() || x.hijacked {
		return
	}
	if whole, _ := x.ahead(); !whole {
		return
	}
	x.watch.ended = make(chan struct{})
	x.conn.readUntil(time.Time{})
	go x.look()
}

// look waits for what comes.
func (x *clientExchange) look() {
	defer close(x.watch.ended)
	c := x.conn
	var gone bool
	var err error
	if c.socket != nil {
		gone, err = c.socket.awaitEnd()
	} else {
		var n int
		if n, err = c.Conn.Read(c.one[:]); n > 0 {
			x.mu.Lock()
			c.in.Put(c.one[:n])
			x.mu.Unlock()
			err = nil
		}
	}
	if err != nil {
		if os.IsTimeout(err) {
			return // nobody wants to know any more
		}
		gone = true
	}
	x.mu.Lock()
	x.watch.seen = true
	tell := x.watch.onNext
	x.mu.Unlock()
	if tell != nil {
		tell()
	}
	if gone {
		x.context.cancel()
	}
}

// endWatch ends it, and returns when nobody looks any more.
func (x *clientExchange) endWatch() {
	x.mu.Lock()
	x.over.Store(true) // no other begins
	ended := x.watch.ended
	if ended != nil {
		x.conn.readUntil(longAgo)
	}
	x.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// OnNext has f called, once, when something comes of the request behind r, or the
// client leaves. It reports false, and f is not called, when that has come already, r
// has not come whole, or r came otherwise than by [Serve] over HTTP/1. f must not use
// the connection.
func OnNext(r *http.Request, f func()) bool {
	x, _ := r.Context().Value(exchangeKey{}).(*clientExchange)
	if x == nil {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	whole, behind := x.ahead()
	if !whole || behind > 0 || x.watch.seen || x.over.Load() {
		return false
	}
	x.watch.onNext, x.watch.wanted = f, true
	x.startWatch()
	return true
}
