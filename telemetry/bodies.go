package telemetry

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// countedRequest counts what is read of a body, whatever length it declares. The
// transport may go on reading after the request has been answered.
type countedRequest struct {
	io.Reader
	n atomic.Int64
}

func (c *countedRequest) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func (c *countedRequest) Close() error {
	if body, ok := c.Reader.(io.Closer); ok {
		return body.Close()
	}
	return nil
}

// countedResponse notes what is sent, and records how long it took to begin as
// soon as it does: a stream may go on for hours. Flush, Hijack and deadlines go
// past it, by Unwrap.
type countedResponse struct {
	http.ResponseWriter
	of *served // the request

	status    int // 0: it has not begun
	n         int64
	firstByte time.Duration // from the request's header
}

func (c *countedResponse) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *countedResponse) WriteHeader(status int) {
	if c.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		c.begin(status)
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *countedResponse) Write(p []byte) (int, error) {
	if c.status == 0 {
		c.begin(http.StatusOK)
	}
	n, err := c.ResponseWriter.Write(p)
	c.n += int64(n)
	return n, err
}

func (c *countedResponse) begin(status int) {
	t := c.of.telemetry
	c.status, c.firstByte = status, time.Since(c.of.exchange.start)
	c.of.recordBegin(status, c.firstByte)
	if t.cfg.ServerTiming {
		var span trace.SpanContext
		if !t.silent {
			span = c.of.span.SpanContext()
		}
		addServerTiming(c.Header(), span, c.firstByte, &c.of.exchange)
	}
}
