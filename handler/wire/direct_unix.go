//go:build unix

package wire

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// directConn is a connection of which the system calls are made by [readNow] and
// [writeNow].
type directConn struct {
	streamConn
	socket *socket
	in     transfer
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
	if socket := newSocket(stream); socket != nil {
		return &directConn{streamConn: stream, socket: socket}
	}
	return conn
}

// Read implements [net.Conn].
func (c *directConn) Read(p []byte) (int, error) {
	n, err := c.in.move(c.socket.raw, p)
	switch {
	case err != nil:
		return n, c.socket.failed("read", err)
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements [net.Conn].
func (c *directConn) Write(p []byte) (int, error) { return c.socket.write(p) }

// NetConn returns the connection below.
func (c *directConn) NetConn() net.Conn { return c.streamConn }

// transfer is one direction of a socket. The zero value reads. It is safe for concurrent
// use.
type transfer struct {
	writes bool

	mu   sync.Mutex
	p    []byte
	n    int // of that
	err  error
	step func(fd uintptr) bool // next, made once it is used: it takes memory
}

// move waits until some of p has been read, or all of it written.
func (t *transfer) move(raw syscall.RawConn, p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.step == nil {
		t.step = t.next
	}
	t.p, t.n, t.err = p, 0, nil
	var err error
	if t.writes {
		err = raw.Write(t.step)
	} else {
		err = raw.Read(t.step)
	}
	if err == nil {
		err = t.err
	}
	t.p = nil
	return t.n, err
}

// next makes a call, and reports whether it was the last one.
func (t *transfer) next(fd uintptr) bool {
	call := readNow
	if t.writes {
		call = writeNow
	}
	for {
		n, err := call(fd, t.p[t.n:])
		switch err {
		case nil:
			t.n += n
			if !t.writes || t.n == len(t.p) {
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
