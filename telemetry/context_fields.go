package telemetry

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"spangate/handler/field"
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

// contextHeader is a header as propagators read and write it. They spell names
// in lower case, which would cost an allocation each time.
type contextHeader http.Header

var spelled = map[string]string{"traceparent": "Traceparent", "tracestate": "Tracestate", "baggage": "Baggage"}

func spelling(key string) string {
	if name, ok := spelled[key]; ok {
		return name
	}
	return http.CanonicalHeaderKey(key)
}

// Get returns all of a tracestate, which may come in several fields, and with
// members that are empty (W3C Trace Context, sections 3.3.1.1 and 3.3.1.3), and the
// first field of others.
func (h contextHeader) Get(key string) string {
	values := h[spelling(key)]
	switch {
	case len(values) == 0:
		return ""
	case key == "tracestate":
		return members(values)
	}
	return values[0]
}

func (h contextHeader) Values(key string) []string { return h[spelling(key)] }
func (h contextHeader) Set(key, value string)      { h[spelling(key)] = []string{value} }
func (h contextHeader) Keys() []string             { return slices.Collect(maps.Keys(h)) }

// ownContext is what an attempt tells the backend of its own span, in that header. It
// has room for what nearly all of that is.
type ownContext struct {
	header                  contextHeader
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

// members returns the members of a list without those that are empty or white
// space, which the propagator would take for a fault in all of it.
func members(lines []string) string {
	all := strings.Join(lines, ",")
	for member := range strings.SplitSeq(all, ",") {
		if textproto.TrimString(member) == "" {
			list := slices.DeleteFunc(strings.Split(all, ","), func(member string) bool { return textproto.TrimString(member) == "" })
			return strings.Join(list, ",")
		}
	}
	return all
}
