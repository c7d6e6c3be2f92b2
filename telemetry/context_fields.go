package telemetry

import (
	"maps"
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"spangate/handler/field"
	"spangate/telemetry/tracecontext"
)

// removeContext removes from fields, which may be nil, those of trace context.
func removeContext(fields http.Header) {
	maps.DeleteFunc(fields, func(name string, _ []string) bool { return field.IsTraceContext(name) })
}

func carriesContext(h http.Header) bool {
	for name := range h {
		if field.IsTraceContext(name) {
			return true
		}
	}
	return false
}

// ownContext is what an attempt tells the backend of its own span, in that header. It
// has room for what nearly all of that is.
type ownContext struct {
	header                  tracecontext.Header
	traceparent, tracestate [1]string
}

func (c *ownContext) Get(key string) string { return c.header.Get(key) }
func (c *ownContext) Keys() []string        { return c.header.Keys() }

func (c *ownContext) Set(key, value string) {
	switch key {
	case "traceparent":
		c.traceparent[0] = value
		c.header["Traceparent"] = c.traceparent[:]
	case "tracestate":
		c.tracestate[0] = value
		c.header["Tracestate"] = c.tracestate[:]
	default:
		c.header.Set(key, value)
	}
}

// add adds to the trace state that is told what else the caller's had.
func (c *ownContext) add(told trace.TraceState, members []string) {
	if c.header["Traceparent"] == nil { // another format is in use
		return
	}
	if state := tracecontext.Rejoin(told.String(), members); state != "" {
		c.Set("tracestate", state)
	}
}
