package telemetry

import (
	"net/http"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// knownMethods are those of RFC 9110, RFC 5789 and the QUERY method. Any other
// counts as _OTHER: clients must not be able to make series.
var knownMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete,
	http.MethodConnect, http.MethodOptions, http.MethodTrace, http.MethodPatch, "QUERY",
}

const otherMethod = "_OTHER"

type methodSet []string

func newMethodSet(known []string) methodSet {
	if len(known) == 0 {
		return knownMethods
	}
	return known
}

// normalize returns method when it is known, else "_OTHER". What it returns is
// never the client's own text, which is a part of a whole request line.
func (m methodSet) normalize(method string) string {
	if i := slices.Index(m, method); i >= 0 {
		return m[i]
	}
	return otherMethod
}

// spanName returns the name of a span for a request of the normalized method.
func spanName(method string) string {
	if method == otherMethod {
		return "HTTP"
	}
	return method
}

// appendMethod adds the attributes of a method as sent to attrs.
func (t *Telemetry) appendMethod(attrs []attribute.KeyValue, method, normalized string) []attribute.KeyValue {
	attrs = append(attrs, semconv.HTTPRequestMethodKey.String(normalized))
	if normalized == otherMethod {
		attrs = append(attrs, semconv.HTTPRequestMethodOriginal(t.text(method)))
	}
	return attrs
}
