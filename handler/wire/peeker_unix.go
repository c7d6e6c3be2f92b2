//go:build unix

package wire

import (
	"net"
	"syscall"
)

// peeker is looked at without reading from it. A nil one shows nothing. It is for
// one goroutine at a time, which need not be the one that reads.
type peeker struct {
	raw  syscall.RawConn
	peek func(fd uintptr)

	buffer [len("HTTP/1.x 408")]byte
	n      int
	err    error
}

// peekerOf returns what conn is over, or nil when that is no socket.
func peekerOf(conn net.Conn) *peeker {
	for {
		switch c := conn.(type) {
		case syscall.Conn:
			raw, err := c.SyscallConn()
			if err != nil {
				return nil
			}
			s := &peeker{raw: raw}
			s.peek = func(fd uintptr) {
				s.n, s.err = peekNow(fd, s.buffer[:])
			}
			return s
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

// look returns the beginning of what can be read now, and whether instead the end
// or an error can.
func (s *peeker) look() (beginning []byte, ended bool) {
	if s == nil {
		return nil, false
	}
	// Not raw.Read, which waits for a reader to return.
	if err := s.raw.Control(s.peek); err != nil {
		return nil, true // closed
	}
	switch {
	case s.n > 0:
		return s.buffer[:s.n], false
	case s.err != syscall.EAGAIN && s.err != syscall.EINTR:
		return nil, true
	}
	return nil, false
}
