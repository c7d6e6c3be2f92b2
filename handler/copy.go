package handler

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"spangate/handler/fault"
	"spangate/handler/wire"
)

// copyBufferSize suits net/http, which reads and writes past its own buffers
// from 4 KiB on, and keeps many slow streams affordable.
const copyBufferSize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBufferSize]byte) }}

// clientWriter writes a response's body to the client.
type clientWriter struct {
	w       http.ResponseWriter
	left    int64         // bytes that the response still has; negative when unknown
	timeout time.Duration // longest wait for an HTTP/2 client to take a part; 0: none
}

func (c *clientWriter) control() *http.ResponseController { return http.NewResponseController(c.w) }

// write passes p on. While more is to come it does not wait in a buffer: the
// backend may take its time.
func (c *clientWriter) write(p []byte) error {
	if c.left != int64(len(p)) || len(p) > wire.AnswerBuffer { // else all of the rest is sent by the server
		c.limit()
		defer c.unlimit()
	}
	_, err := c.w.Write(p)
	if c.left > 0 {
		c.left -= int64(len(p))
	}
	if err == nil && c.left != 0 {
		err = c.control().Flush()
	}
	return err
}

func (c *clientWriter) flush() error {
	c.limit()
	defer c.unlimit()
	return c.control().Flush()
}

// limit bounds the writes until unlimit is called: a deadline that passes between two
// of them would reset the stream. Over HTTP/1 the connection bounds each write itself.
func (c *clientWriter) limit() {
	if c.timeout > 0 {
		c.control().SetWriteDeadline(time.Now().Add(c.timeout))
	}
}

func (c *clientWriter) unlimit() {
	if c.timeout > 0 {
		c.control().SetWriteDeadline(time.Time{})
	}
}

// copyFrom copies body to the client until its end. The error tells whose
// fault it was: that of reading is the backend's, that of writing the client's.
func (c *clientWriter) copyFrom(ctx context.Context, body io.Reader) *fault.Error {
	buffer := copyBuffers.Get().(*[copyBufferSize]byte)
	defer copyBuffers.Put(buffer)
	for {
		n, err := body.Read(buffer[:])
		if n > 0 {
			if werr := c.write(buffer[:n]); werr != nil {
				return fault.OfClient(ctx, werr)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fault.OfBody(ctx, err)
		}
	}
}
