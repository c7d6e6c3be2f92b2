//go:build unix

package framing

import (
	"crypto/tls"
	"net"
	"syscall"
)

// socket is looked at without reading from it, whoever reads meanwhile. A nil
// one shows nothing. It is not safe for concurrent use.
type socket struct {
	raw    syscall.RawConn
	opaque bool // what can be read is TLS's, of which the end is a record too
	peek   func(fd uintptr)
	buffer [len("HTTP/1.x 408")]byte
	n      int
	err    error
}

// socketOf returns what conn is over, or nil when that is no socket.
func socketOf(conn net.Conn) *socket {
	opaque := false
	for {
		switch c := conn.(type) {
		case *tls.Conn:
			opaque, conn = true, c.NetConn()
		case syscall.Conn:
			raw, err := c.SyscallConn()
			if err != nil {
				return nil
			}
			s := &socket{raw: raw, opaque: opaque}
			s.peek = s.peekAt
			return s
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

func (s *socket) peekAt(fd uintptr) {
	s.n, _, s.err = syscall.Recvfrom(int(fd), s.buffer[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
}

// look returns the beginning of what can be read now, and whether instead the
// end or an error can, or what a next message must not follow.
func (s *socket) look() (beginning []byte, ended bool) {
	if s == nil {
		return nil, false
	}
	// Not raw.Read, which waits for a reader to return.
	if err := s.raw.Control(s.peek); err != nil {
		return nil, true // closed
	}
	switch {
	case s.n > 0 && !s.opaque:
		return s.buffer[:s.n], false
	case s.err != syscall.EAGAIN && s.err != syscall.EINTR:
		return nil, true
	}
	return nil, false
}
