package handler

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"spangate/handler/clock"
	"spangate/handler/fault"
)

// copyBufferSize suits net/http, which reads and writes past its own buffers
// from 4 KiB on, and keeps many slow streams affordable.
const copyBufferSize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBufferSize]byte) }}

// clientWriter writes a response's body to the client, for which package wire waits.
type clientWriter struct {
	w    http.ResponseWriter
	left int64 // bytes that the response still has; negative when unknown

	failed bool // the client takes nothing any more
}

func (c *clientWriter) control() *http.ResponseController { return http.NewResponseController(c.w) }

// write passes p on. While more is to come it does not wait in a buffer: the
// backend may take its time.
func (c *clientWriter) write(p []byte) error {
	_, err := c.w.Write(p)
	if c.left > 0 {
		c.left -= int64(len(p))
	}
	if err == nil && c.left != 0 {
		return c.flush()
	}
	c.failed = err != nil
	return err
}

// limit ends the wait for the client with ctx, if that ends by itself.
func (c *clientWriter) limit(ctx context.Context) {
	if end, ends := clock.End(ctx); ends && time.Until(end) > 0 { // else who reads on finds out
		c.control().SetWriteDeadline(end)
	}
}

func (c *clientWriter) flush() error {
	err := c.control().Flush()
	c.failed = err != nil
	return err
}

// mayEnd reports whether the response may end here: all that its header has promised has
// gone out (RFC 9113 §8.1.1).
func (c *clientWriter) mayEnd() bool { return c.left <= 0 && !c.failed }

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
