package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// maxReplies bounds what comes from the store in answer to one write, in bytes
// and in what it makes the client allocate: many times what the largest is, a
// cluster's layout. The client itself believes any length that it is told.
const maxReplies = 4 << 20

var errReplies = errors.New("the store's answer is too large")

// dial connects as the client does by default, save that replies are bounded.
func dial(timeout time.Duration, secure *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: timeout, KeepAlive: 5 * time.Minute}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if secure != nil {
			conn, err := (&tls.Dialer{NetDialer: dialer, Config: secure}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return bound(conn), nil
		}
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if raw, ok := conn.(syscall.Conn); ok {
			return checkable{bound(conn), raw}, nil
		}
		return bound(conn), nil
	}
}

func bound(conn net.Conn) *replies {
	r := &replies{Conn: conn}
	r.left.Store(maxReplies)
	return r
}

// checkable lets the client see whether an idle connection was closed.
type checkable struct {
	*replies
	syscall.Conn
}

// replies is a connection that fails when what comes in answer to a write passes
// maxReplies. It follows the protocol (RESP) as far as lengths go, and does not
// let one through that is too large. One may read while another writes.
type replies struct {
	net.Conn
	left atomic.Int64 // until it fails

	kind   byte  // of the line that is being read; 0: at its beginning
	length int64 // that the line announces, so far
	text   int64 // bytes that are left of a text whose length was announced
}

// What the client allocates for each element of a list and each pair of a map.
const element, pair = 16, 64

func (r *replies) Write(p []byte) (int, error) {
	r.left.Store(maxReplies)
	return r.Conn.Write(p)
}

func (r *replies) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.left.Add(-int64(n))
	r.follow(p[:n])
	if r.left.Load() < 0 {
		r.Conn.Close()
		return 0, errReplies
	}
	return n, err
}

// follow takes what is announced in p from what is left.
func (r *replies) follow(p []byte) {
	for len(p) > 0 && r.left.Load() >= 0 {
		if skipped := min(r.text, int64(len(p))); skipped > 0 {
			r.text -= skipped
			p = p[skipped:]
			continue
		}
		b := p[0]
		p = p[1:]
		switch {
		case b == '\n':
			r.announced()
			r.kind, r.length = 0, 0
		case r.kind == 0:
			r.kind = b
		case b >= '0' && b <= '9' && r.length <= maxReplies:
			r.length = 10*r.length + int64(b-'0')
		case b == '-':
			r.kind = ':' // a length of -1 is nothing
		}
	}
}

// announced heeds the line that has ended.
func (r *replies) announced() {
	switch r.kind {
	case '$', '!', '=':
		r.left.Add(-r.length)
		r.text = r.length + int64(len("\r\n"))
	case '*', '~', '>':
		r.left.Add(-element * r.length)
	case '%', '|':
		r.left.Add(-pair * r.length)
	}
}
