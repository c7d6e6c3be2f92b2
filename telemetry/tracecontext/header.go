package tracecontext

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Header is a header as propagators read and write it. They spell names in lower case,
// which would cost an allocation each time.
type Header http.Header

var spelled = func() map[string]string {
	names := make(map[string]string)
	for _, name := range []string{
		"Traceparent", "Tracestate", "Baggage", "Uber-Trace-Id", "X-Amzn-Trace-Id",
		"B3", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid", "X-B3-Sampled", "X-B3-Flags",
	} {
		names[strings.ToLower(name)] = name
	}
	return names
}()

func spelling(key string) string {
	if name, ok := spelled[key]; ok {
		return name
	}
	return http.CanonicalHeaderKey(key)
}

// Get returns a field as propagators can read it: of a tracestate, which may come in
// several fields, all members that they know the grammar of; of several traceparents
// none, as whose they are cannot be told; the first field of others.
func (h Header) Get(key string) string {
	values := h[spelling(key)]
	if len(values) == 0 {
		return ""
	}
	switch key {
	case "traceparent":
		if len(values) > 1 {
			return ""
		}
		return withKnownFlags(values[0])
	case "tracestate":
		list, _ := readState(values)
		return list
	case "uber-trace-id":
		return withColons(values[0])
	}
	return values[0]
}

// Values returns all fields of that name as they came.
func (h Header) Values(key string) []string { return h[spelling(key)] }

// Set replaces all fields of that name.
func (h Header) Set(key, value string) { h[spelling(key)] = []string{value} }

// Keys returns the names of all fields.
func (h Header) Keys() []string { return slices.Collect(maps.Keys(h)) }

// withKnownFlags returns a traceparent of version 00 without the flags that it does not
// define. They must not be heeded, nor sent on (W3C Trace Context, section 3.2.2.5).
// Of later versions the propagator ignores them.
func withKnownFlags(parent string) string {
	const (
		start  = "00-"
		digits = len(start) + len("4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-")
		known  = 1 | 2
	)
	if len(parent) != digits+2 || !strings.HasPrefix(parent, start) {
		return parent
	}
	high, low := strings.IndexByte(hexDigits, parent[digits]), strings.IndexByte(hexDigits, parent[digits+1])
	if high < 0 || low < 0 || high == 0 && low <= known {
		return parent
	}
	return parent[:digits] + "0" + hexDigits[low&known:low&known+1]
}

const hexDigits = "0123456789abcdef"

// withColons returns a uber-trace-id whose colons some clients escape.
func withColons(id string) string {
	if !strings.Contains(id, "%") {
		return id
	}
	return escapedColon.Replace(id)
}

var escapedColon = strings.NewReplacer("%3A", ":", "%3a", ":")
