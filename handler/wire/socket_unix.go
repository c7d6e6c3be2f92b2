//go:build unix

package wire

import (
	"cmp"
	"io"
	"net"
	"syscall"

	"spangate/handler/wire/http1"
)

// socket is that of a connection whose bytes are the client's own: not those of TLS,
// nor ones that somebody has read ahead. It is waited for without memory to read into,
// and looked at without reading. It is for one goroutine at a time.
type socket struct {
	raw  syscall.RawConn
	read func(fd uintptr) bool // readNow
	look func(fd uintptr) bool // lookNow
	in   *http1.Reader
	err  error
	out  transfer
}

// newSocket returns that of conn, or nil where it is none of that kind.
func newSocket(conn net.Conn) *socket {
	plain, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := plain.SyscallConn()
	if err != nil {
		return nil
	}
	s := &socket{raw: raw}
	s.read, s.look = s.readNow, s.lookNow
	s.out.over(raw.Write, writeNow)
	return s
}

// fill waits for something to come, and reads it into in.
func (s *socket) fill(in *http1.Reader) error {
	s.in = in
	if err := s.raw.Read(s.read); err != nil {
		return err
	}
	return s.err
}

// write writes p.
func (s *socket) write(p []byte) (int, error) { return s.out.move(p, true) }

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

// await waits for something to come, and leaves it there.
func (s *socket) await() error {
	if err := s.raw.Read(s.look); err != nil {
		return err
	}
	return s.err
}

func (s *socket) lookNow(fd uintptr) bool {
	var p [1]byte
	n, err := peekNow(fd, p[:])
	for err == syscall.EINTR {
		n, err = peekNow(fd, p[:])
	}
	switch {
	case err == syscall.EAGAIN:
		return false
	case err == nil && n == 0:
		err = io.EOF
	}
	s.err = err
	return true
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
