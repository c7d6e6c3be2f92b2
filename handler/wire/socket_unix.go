//go:build unix

package wire

import (
	"cmp"
	"io"
	"net"
	"os"
	"syscall"

	"spangate/handler/wire/http1"
)

// socket is that of a connection, which is waited for without memory to read into, and
// looked at without reading. It is for one goroutine at a time. A nil one shows
// nothing.
type socket struct {
	conn net.Conn
	raw  syscall.RawConn

	// What raw is given, made once: each takes memory. Those that are not needed yet
	// are nil.
	read, wait func(fd uintptr) bool
	peek       func(fd uintptr)

	in  *http1.Reader // to read into
	err error         // of reading
	out transfer

	beginning [len("HTTP/1.x 408")]byte // of what can be read
	n         int                       // bytes of that
	why       error                     // there is none
}

// newSocket returns that of conn where the bytes on it are conn's own: not those of
// TLS, nor ones that somebody has read ahead. Else there is none.
func newSocket(conn net.Conn) *socket {
	plain, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := plain.SyscallConn()
	if err != nil {
		return nil
	}
	return &socket{conn: conn, raw: raw, out: transfer{writes: true}}
}

// socketBelow returns what conn is over, whatever that carries.
func socketBelow(conn net.Conn) *socket {
	for {
		switch over := conn.(type) {
		case *directConn:
			return over.socket
		case interface{ NetConn() net.Conn }:
			conn = over.NetConn()
		default:
			return newSocket(conn)
		}
	}
}

// fill waits for something to come, and reads it into in, which has nothing in it.
func (s *socket) fill(in *http1.Reader) error {
	if s.read == nil {
		s.read = s.readNow
	}
	s.in = in
	err := s.raw.Read(s.read)
	s.in = nil
	if err != nil {
		return err
	}
	return s.failed("read", s.err)
}

func (s *socket) readNow(fd uintptr) bool {
	p := s.in.Room()
	n, err := readNow(fd, p)
	for err == syscall.EINTR {
		n, err = readNow(fd, p)
	}
	s.in.Came(max(n, 0))
	switch {
	case err == syscall.EAGAIN:
		return false
	case err == nil && n == 0:
		err = io.EOF
	}
	s.err = err
	return true
}

// write writes p.
func (s *socket) write(p []byte) (int, error) {
	n, err := s.out.move(s.raw, p)
	return n, s.failed("write", err)
}

// failed returns err as package net does.
func (s *socket) failed(what string, err error) error {
	if _, ok := err.(syscall.Errno); !ok {
		return err // there is none, or it says so itself
	}
	return &net.OpError{Op: what, Net: s.conn.LocalAddr().Network(), Source: s.conn.LocalAddr(), Addr: s.conn.RemoteAddr(), Err: os.NewSyscallError(what, err)}
}

// await waits for something to come, and leaves it there.
func (s *socket) await() error {
	if s.wait == nil {
		s.wait = func(fd uintptr) bool {
			s.peekNow(fd)
			return s.why != syscall.EAGAIN
		}
	}
	if err := s.raw.Read(s.wait); err != nil {
		return err
	}
	if s.why == nil && s.n == 0 {
		return io.EOF
	}
	return s.failed("read", s.why)
}

// look returns the beginning of what can be read now, and whether instead the end
// or an error can.
func (s *socket) look() (beginning []byte, ended bool) {
	if s == nil {
		return nil, false
	}
	if s.peek == nil {
		s.peek = s.peekNow
	}
	// Not raw.Read, which waits for a reader to return.
	if err := s.raw.Control(s.peek); err != nil {
		return nil, true // closed
	}
	if s.n > 0 {
		return s.beginning[:s.n], false
	}
	return nil, s.why != syscall.EAGAIN
}

func (s *socket) peekNow(fd uintptr) {
	for {
		if s.n, s.why = peekNow(fd, s.beginning[:]); s.why != syscall.EINTR {
			return
		}
	}
}

// awaitReset waits until conn is reset, the other end of which sends nothing any more,
// and returns why that has ended.
func awaitReset(conn net.Conn) error {
	s := newSocket(conn)
	if s == nil {
		return io.EOF // nobody can tell
	}
	if err := s.raw.Read(s.resetNow); err != nil {
		return err
	}
	return s.err
}

func (s *socket) resetNow(fd uintptr) bool {
	errno, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
	if err == nil && errno == 0 {
		return false
	}
	s.err = cmp.Or(err, error(syscall.Errno(errno)))
	return true
}
