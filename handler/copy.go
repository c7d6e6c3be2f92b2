package handler

import (
	"context"
	"io"
	"net/http"
	"net/textproto"
	"strings"
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
	timeout time.Duration // longest wait for the client to take a part; 0: none
	http2   bool
	stream  bool // what is written goes out at once
}

func (c *clientWriter) control() *http.ResponseController { return http.NewResponseController(c.w) }

func (c *clientWriter) write(p []byte) error {
	c.limit()
	_, err := c.w.Write(p)
	if err == nil && c.stream {
		err = c.control().Flush()
	}
	c.unlimit()
	return err
}

func (c *clientWriter) flush() error {
	c.limit()
	err := c.control().Flush()
	c.unlimit()
	return err
}

// limit bounds the writes until unlimit.
func (c *clientWriter) limit() {
	if c.timeout > 0 {
		c.control().SetWriteDeadline(time.Now().Add(c.timeout))
	}
}

// unlimit ends the bound where it would reset the stream between two writes.
// Over HTTP/1 one that passes then does no harm, and release comes for it.
func (c *clientWriter) unlimit() {
	if c.timeout > 0 && c.http2 {
		c.control().SetWriteDeadline(time.Time{})
	}
}

// release leaves the connection to the server's own deadlines: one that has
// passed by the time of the next request on it would fail that request.
func (c *clientWriter) release() {
	if c.timeout > 0 && !c.http2 {
		c.control().SetWriteDeadline(time.Time{})
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
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	return strings.EqualFold(textproto.TrimString(media), "text/event-stream")
}
