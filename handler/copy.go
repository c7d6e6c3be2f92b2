package handler

import (
	"context"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"spangate/balancer"
)

// copyBufferSize suits net/http, which reads and writes past its own buffers
// from 4 KiB on, and keeps many slow streams affordable.
const copyBufferSize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBufferSize]byte) }}

// clientWriter writes a response's body to the client.
type clientWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration // longest wait for the client to take a part; 0: none
	http2   bool
	stream  bool // what is written goes out at once
}

func (c *clientWriter) write(p []byte) error {
	defer c.limit()()
	_, err := c.w.Write(p)
	if err == nil && c.stream {
		err = c.control.Flush()
	}
	return err
}

func (c *clientWriter) flush() error {
	defer c.limit()()
	return c.control.Flush()
}

// limit bounds the writes until the returned function is called.
func (c *clientWriter) limit() func() {
	if c.timeout == 0 {
		return func() {}
	}
	c.control.SetWriteDeadline(time.Now().Add(c.timeout))
	if !c.http2 {
		return func() {} // a deadline that passes between writes does no harm
	}
	return func() { c.control.SetWriteDeadline(time.Time{}) } // here it would reset the stream
}

// release leaves the connection to the server's own deadlines: one that has
// passed by the time of the next request on it would fail that request.
func (c *clientWriter) release() {
	if c.timeout > 0 && !c.http2 {
		c.control.SetWriteDeadline(time.Time{})
	}
}

// copyFrom copies body to the client until its end. The error tells whose
// fault it was: that of reading is the backend's, that of writing the client's.
func (c *clientWriter) copyFrom(ctx context.Context, body io.Reader) *balancer.Error {
	buffer := copyBuffers.Get().(*[copyBufferSize]byte)
	defer copyBuffers.Put(buffer)
	for {
		n, err := body.Read(buffer[:])
		if n > 0 {
			if werr := c.write(buffer[:n]); werr != nil {
				return clientError(ctx, werr)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return balancer.ClassifyBody(ctx, err)
		}
	}
}

// clientError returns the error of writing to the client.
func clientError(ctx context.Context, err error) *balancer.Error {
	kind := balancer.ClientDisconnected
	if timeout, ok := err.(interface{ Timeout() bool }); ok && timeout.Timeout() {
		kind = balancer.ClientTimeout
	}
	if ctx.Err() == context.DeadlineExceeded {
		kind = balancer.Timeout
	}
	return &balancer.Error{Type: kind, Sent: true, Err: err}
}

// streams reports whether each part of the response must be passed on as it
// comes: its length is unknown, or its type says that it goes on for ever.
func streams(resp *http.Response) bool {
	if resp.ContentLength < 0 {
		return true
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return media == "text/event-stream"
}
