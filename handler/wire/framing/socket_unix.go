//go:build unix

package framing

import (
	"crypto/tls"
	"net"
	"syscall"
)

// socket is looked at without reading from it. A nil one shows nothing.
type socket struct {
	raw    syscall.RawConn
	opaque bool // what can be read is TLS's, of which the end is a record too
	peek   func(fd uintptr)

	buffer [len("HTTP/1.x 408")]byte // of look
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

func readable(fd uintptr) bool {
	var buffer [1]byte
	_, _, err := syscall.Recvfrom(int(fd), buffer[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err != syscall.EAGAIN && err != syscall.EINTR
}

// isOpaque reports whether what can be seen says nothing of what can be read.
func (s *socket) isOpaque() bool { return s == nil || s.opaque }

// await returns when something can be read, be it the end or an error, or when
// that cannot be told without reading.
func (s *socket) await() {
	if s != nil && !s.opaque {
		s.raw.Read(readable)
	}
}

// look returns the beginning of what can be read now, and whether instead the
// end or an error can, or what a next message must not follow. It is for one
// goroutine at a time, which need not be the one that reads.
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
