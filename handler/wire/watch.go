package wire

import (
	"context"
	"io"
	"net/http"
	"os"
	"time"
)

// watch looks, beside the handler, for what the client does when its request has come
// whole: whether it leaves, or sends another one. It is guarded by the exchange's mu.
//
// A client that closes its sending side before its answer has begun may have left, or
// wait for the answer, as BusyBox's wget does (RFC 9112 §9.6). The end looks the same;
// but who has left answers what is sent to him with a reset. So he is sent an interim
// response, which any client of HTTP/1.1 understands. Behind the beginning of an answer
// nothing can be sent that is not of it, and over HTTP/1.0 nothing before: there he has
// left (RFC 1945 §1.3).
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
	err := x.awaitNext()
	if os.IsTimeout(err) {
		return // nobody wants to know any more
	}
	waits := err == io.EOF && x.mayWait()
	x.mu.Lock()
	x.watch.seen = true
	tell := x.watch.onNext
	x.mu.Unlock()
	if tell != nil {
		tell()
	}
	if waits {
		err = awaitReset(below(x.conn.Conn))
	}
	if err != nil && !os.IsTimeout(err) {
		x.context.cancel()
	}
}

// awaitNext waits for something to come. The end of what the client sends is [io.EOF].
func (x *clientExchange) awaitNext() error {
	c := x.conn
	if c.socket != nil {
		return c.socket.await()
	}
	n, err := c.Conn.Read(c.one[:])
	if n == 0 {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	c.in.Put(c.one[:n])
	return nil
}

// mayWait reports whether the client, which sends nothing any more, may yet wait for
// the answer. If he does not, there is a reset soon.
func (x *clientExchange) mayWait() bool {
	x.writing.Lock()
	defer x.writing.Unlock()
	if x.halfClosed || x.begun || x.old {
		return x.halfClosed
	}
	x.halfClosed = true
	_, err := x.conn.write([]byte(continues), x.writeBy)
	return err == nil
}

// begins notes that the answer begins to be sent, and whether the client has closed its
// sending side before, which over TLS cannot be seen without reading. If he has left, he
// answers that with a reset. The caller holds writing.
func (x *clientExchange) begins() {
	x.begun = true
	if whole := x.finished || x.written == x.length; !whole && !x.old && !x.halfClosed {
		_, x.halfClosed = socketBelow(x.conn.Conn).look()
	}
}

// isThere reports whether the client can be seen to be there, whose request has that
// context, and nobody waits for the end of that. The request must have no content, which
// somebody may read beside. It is for who handles the request.
func isThere(ctx context.Context) bool {
	x := exchangeOf(ctx)
	if x == nil || x.carries {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.watch.wanted {
		return false
	}
	socket := x.conn.socket
	if socket == nil {
		socket = socketBelow(x.conn.Conn)
	}
	if socket == nil {
		return false
	}
	beginning, ended := socket.look()
	return len(beginning) == 0 && !ended
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
	x := exchangeOf(r.Context())
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
