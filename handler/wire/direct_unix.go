//go:build unix

package wire

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// directConn is a connection of which the system calls are made by [readNow] and
// [writeNow].
type directConn struct {
	streamConn
	in, out transfer
}

// streamConn is what the connections of TCP and of Unix sockets have in common.
type streamConn interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// direct returns conn as one whose system calls are made directly, if it is a socket.
func direct(conn net.Conn) net.Conn {
	stream, ok := conn.(streamConn)
	if !ok {
		return conn
	}
	raw, err := stream.SyscallConn()
	if err != nil {
		return conn
	}
	c := &directConn{streamConn: stream}
	c.in.over(raw.Read, readNow)
	c.out.over(raw.Write, writeNow)
	return c
}

// Read implements [net.Conn].
func (c *directConn) Read(p []byte) (int, error) {
	n, err := c.in.move(p, false)
	switch {
	case err != nil:
		return n, c.failed("read", err)
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements [net.Conn].
func (c *directConn) Write(p []byte) (int, error) {
	n, err := c.out.move(p, true)
	if err != nil {
		err = c.failed("write", err)
	}
	return n, err
}

func (c *directConn) failed(what string, err error) error {
	if _, ok := err.(syscall.Errno); !ok {
		return err // it says so itself
	}
	return &net.OpError{Op: what, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(what, err)}
}

// transfer is one direction of a socket. It is safe for concurrent use.
type transfer struct {
	wait func(step func(fd uintptr) bool) error
	call func(fd uintptr, p []byte) (int, error)

	mu    sync.Mutex
	p     []byte
	whole bool // all of p has to be moved
	n     int  // of that
	err   error
	step  func(fd uintptr) bool // next
}

// over sets which calls are made, and what waits until they can be made.
func (t *transfer) over(wait func(step func(fd uintptr) bool) error, call func(fd uintptr, p []byte) (int, error)) {
	t.wait, t.call, t.step = wait, call, t.next
}

// move waits until p, or some of it, has been read or written.
func (t *transfer) move(p []byte, whole bool) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p, t.whole, t.n, t.err = p, whole, 0, nil
	err := t.wait(t.step)
	if err == nil {
		err = t.err
	}
	t.p = nil
	return t.n, err
}

// next makes a call, and reports whether it was the last one.
func (t *transfer) next(fd uintptr) bool {
	for {
		n, err := t.call(fd, t.p[t.n:])
		switch err {
		case nil:
			t.n += n
			if !t.whole || t.n == len(t.p) {
				return true
			}
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			t.err = err
			return true
		}
	}
}
