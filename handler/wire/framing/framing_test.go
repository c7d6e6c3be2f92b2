package framing_test

import (
	"cmp"
	"io"
	"net"
	"os"
	"time"
)

// readAll reads at most size bytes at a time.
func readAll(conn net.Conn, size int) ([]byte, error) {
	var got []byte
	buffer := make([]byte, size)
	for {
		n, err := conn.Read(buffer)
		got = append(got, buffer[:n]...)
		if err == io.EOF || err == os.ErrDeadlineExceeded {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
}

// fixedConn is a connection on which rest arrives, and then end, or its end. While taken is not empty a
// write takes so many bytes, and then times out.
type fixedConn struct {
	net.Conn
	rest  []byte
	end   error // io.EOF when nil
	taken []int
	fails error // of writes
}

func (c *fixedConn) Close() error { return nil }

func (c *fixedConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, cmp.Or(c.end, io.EOF)
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *fixedConn) Write(p []byte) (int, error) {
	if c.fails != nil {
		return 0, c.fails
	}
	if len(c.taken) == 0 {
		return len(p), nil
	}
	n := c.taken[0]
	c.taken = c.taken[1:]
	return n, os.ErrDeadlineExceeded
}

func (c *fixedConn) SetWriteDeadline(time.Time) error { return nil }
