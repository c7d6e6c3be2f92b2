package wire

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

// Phase is a part of the time that one request to a backend takes. They follow one
// another without a gap, save that to get a connection may take some more than once.
type Phase int

// The phases.
const (
	Queue   Phase = iota // nobody had a connection, or a stream, for it
	DNS                  // the backend's name was looked up
	Connect              // the backend was connected to; of HTTP/2, until it had begun to speak it
	TLS                  // hands were shaken
	Send                 // it was sent, or its client waited for, until its answer began; over HTTP/2 only content has that
	Wait                 // its answer had not begun
	Receive              // the answer came, and the client took it
	phases
)

// Phases is how long each phase took.
type Phases [phases]time.Duration

// Course is how one request goes on its way to a backend, as far as a [Transport] knows.
// Who gives it sets Start, and reads the other fields once RoundTrip has returned. A nil
// one is of a request that nobody asks about, which costs it nothing.
type Course struct {
	Start  time.Time
	Peer   net.Addr             // that it was sent to; nil: there was no connection
	TLS    *tls.ConnectionState // of the connection; nil: without
	Reused bool                 // the connection had carried a request before, or carries another one

	got  time.Duration // from Start; 0: a connection was at hand
	made Phases        // what of that a connection was made in
	sent atomic.Int64  // 1 and how long from Start; 0: not all of the request is sent
}

// Phases returns how long each phase took, where the answer began that long after Start,
// 0 if it did not, and all is over after so long. They add up to that.
func (c *Course) Phases(answered, over time.Duration) Phases {
	p := c.made
	p[Queue] = c.got - p[DNS] - p[Connect] - p[TLS]
	begun := answered
	if begun == 0 {
		begun = over
	}
	if c.Peer == nil {
		p[Queue] += over - c.got // somebody had yet to hear of it
		return p
	}
	sent := time.Duration(c.sent.Load()) - 1
	if sent < 0 || sent > begun {
		sent = begun
	}
	p[Send], p[Wait], p[Receive] = sent-c.got, begun-sent, over-begun
	return p
}

// hears notes what came of asking for a connection.
func (c *Course) hears(d delivery) {
	if c == nil {
		return
	}
	if d.c != nil {
		c.Peer, c.TLS, c.Reused = d.c.conn.RemoteAddr(), d.c.tls, d.c.used.Load()
	}
	if d.waited {
		got := time.Since(c.Start)
		d.making.add(&c.made, c.Start.Add(c.got), c.Start.Add(got))
		c.got = got
	}
}

// isSent notes that all of the request is sent, or about to be. It may be called beside
// all others.
func (c *Course) isSent() {
	if c != nil {
		c.sent.Store(1 + int64(time.Since(c.Start)))
	}
}

// sentAtOnce notes that to send it takes no time that could be told from the wait.
func (c *Course) sentAtOnce() {
	if c != nil {
		c.sent.Store(1 + int64(c.got))
	}
}
