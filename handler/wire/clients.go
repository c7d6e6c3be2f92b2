package wire

import (
	"sync"
	"time"

	"spangate/handler/wire/framing"
)

// clients are the connections that are open. The zero value is ready to use. It is safe
// for concurrent use.
type clients struct {
	mu    sync.Mutex
	http1 map[*clientConn]struct{} // or not yet known to be of HTTP/2
	taken map[*clientConn]struct{} // belong to handlers, as upgraded ones do
	http2 map[*framing.Conn]struct{}
	told  bool // those of HTTP/2, to send no further request
}

func (c *clients) came(conn *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.http1, conn)
}

func (c *clients) upgraded(conn *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.http1, conn)
	add(&c.taken, conn)
}

// turned says that a connection has turned out to be one of HTTP/2.
func (c *clients) turned(conn *clientConn, into *framing.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.http1, conn)
	add(&c.http2, into)
	if c.told {
		into.GoAwayNext()
	}
}

func (c *clients) left(conn *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.http1, conn)
	delete(c.taken, conn)
}

func (c *clients) leftHTTP2(conn *framing.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.http2, conn)
}

func add[C comparable](all *map[C]struct{}, conn C) {
	if *all == nil {
		*all = map[C]struct{}{}
	}
	(*all)[conn] = struct{}{}
}

// none reports whether there are none but those that are upgraded.
func (c *clients) none() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.http1)+len(c.http2) == 0
}

// goAway asks those that speak HTTP/2, or are about to, to send no further request.
// It does not wait: some may take nothing.
func (c *clients) goAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = true
	for conn := range c.http2 {
		conn.GoAwayNext()
		go conn.GoAway()
	}
}

// newcomers is how long a connection that is new is waited for, when those that are idle
// are closed.
const newcomers = 5 * time.Second

// closeIdle closes those of HTTP/1 on which no request is handled.
func (c *clients) closeIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.http1 {
		conn.close(time.Now())
	}
}

// cutOff ends the contexts of all requests over HTTP/1.
func (c *clients) cutOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, all := range []map[*clientConn]struct{}{c.http1, c.taken} {
		for conn := range all {
			if x := conn.current.Load(); x != nil {
				x.context.cancel()
			}
		}
	}
}

// close closes those of HTTP/1.
func (c *clients) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.http1 {
		if x := conn.current.Load(); x != nil && x.open.Load() {
			conn.reset()
		} else {
			conn.Conn.Close()
		}
	}
}
