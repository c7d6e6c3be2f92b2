package telemetry

import (
	"context"
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
	telemetry *Telemetry
	ctx       context.Context
	exchange  *exchange
	start     time.Time // of the request
	series    serverSet // of the request, without how it ends

	status    int // 0: it has not begun
	n         int64
	firstByte time.Duration // from start
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
	c.status, c.firstByte = status, time.Since(c.start)
	series := c.series
	series.status = status
	c.telemetry.server.began(c.ctx, series, c.firstByte)
	if c.telemetry.serverTiming {
		var span trace.SpanContext
		if !c.telemetry.silent {
			span = trace.SpanContextFromContext(c.ctx)
		}
		addServerTiming(c.Header(), span, c.firstByte, c.exchange.forwarded)
	}
}
