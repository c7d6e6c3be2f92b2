package wire

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"time"
)

// Hijack implements [http.Hijacker]: the connection is the handler's from then on,
// with what has come on it, and whatever head was made is sent. Its writes are still
// bounded by [Config.ClientTimeout].
func (x *clientExchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := x.ended(); err != nil {
		return nil, nil, err
	}
	if x.status != 0 {
		x.flush()
		if x.err != nil {
			return nil, nil, x.err
		}
	}
	x.endWatch()
	c := x.conn
	x.writing.Lock()
	x.body.expected, x.writeBy = false, time.Time{}
	x.writing.Unlock()
	x.hijacked, c.taken = true, true
	x.drop()
	c.server.clients.upgraded(c)
	c.readUntil(time.Time{})
	taken := &takenConn{c}
	come := bytes.Clone(c.in.Peek())
	c.in.Discard(len(come))
	in := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(come), taken), max(len(come), 512))
	in.Peek(len(come))
	return taken, bufio.NewReadWriter(in, bufio.NewWriter(taken)), nil
}

// takenConn is a connection that belongs to a handler.
type takenConn struct{ *clientConn }

// Write implements [net.Conn].
func (c *takenConn) Write(p []byte) (int, error) { return c.write(p, time.Time{}) }

// CloseWrite ends the sending direction.
func (c *takenConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return http.ErrNotSupported
}
