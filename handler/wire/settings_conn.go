package wire

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"

	"spangate/handler/fault"
)

// settingsConn is a connection of HTTP/2, and tells when the frame that begins
// it has been read and acted upon, the backend's SETTINGS (RFC 9113 §3.4). Who
// reads from it, buffered or not, asks for more only then.
type settingsConn struct {
	net.Conn
	came  chan error   // gets one value: nil, or why it will not come
	heard atomic.Int64 // bytes that have come
	ended atomic.Bool  // nothing more comes

	done   bool
	header []byte // of the frame, as much as has been read
	left   int    // of its content, once the header is whole
}

const (
	frameHeaderLength = 9
	frameSettings     = 4
)

func newSettingsConn(conn net.Conn) *settingsConn {
	return &settingsConn{Conn: conn, came: make(chan error, 1), header: make([]byte, 0, frameHeaderLength)}
}

// Read implements [net.Conn].
func (c *settingsConn) Read(p []byte) (int, error) {
	n, err := c.read(p)
	c.heard.Add(int64(n))
	if err != nil {
		c.ended.Store(true)
	}
	return n, err
}

// Close implements [net.Conn].
func (c *settingsConn) Close() error {
	c.ended.Store(true)
	return c.Conn.Close()
}

func (c *settingsConn) read(p []byte) (int, error) {
	if c.done || len(p) == 0 {
		return c.Conn.Read(p)
	}
	missing := frameHeaderLength - len(c.header)
	switch {
	case missing > 0:
		p = p[:min(len(p), missing)]
	case c.left == 0:
		c.done = true
		c.came <- nil
		return c.Conn.Read(p)
	default:
		p = p[:min(len(p), c.left)]
	}
	n, err := c.Conn.Read(p)
	if missing == 0 {
		c.left -= n
	} else if c.header = append(c.header, p[:n]...); len(c.header) == frameHeaderLength {
		c.left = int(c.header[0])<<16 | int(c.header[1])<<8 | int(c.header[2])
		if c.header[3] != frameSettings {
			err = &fault.Error{Type: fault.MalformedResponse, Err: fmt.Errorf("%q in place of the settings of HTTP/2", c.header)}
		}
	}
	if err != nil {
		c.done = true
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		c.came <- err
	}
	return n, err
}
