package telemetry

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"golang.org/x/net/http/httpguts"
)

// knownMethods are those of RFC 9110, RFC 5789 and the QUERY method. Any other
// counts as _OTHER: clients must not be able to make series.
var knownMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete,
	http.MethodConnect, http.MethodOptions, http.MethodTrace, http.MethodPatch, "QUERY",
}

const otherMethod = "_OTHER"

// methodNames are those that telemetry names. The zero value stands for those
// of RFC 9110, PATCH and QUERY.
type methodNames []string

// UnmarshalText parses a comma list of methods. They are told apart by case
// (RFC 9110 section 9.1).
func (m *methodNames) UnmarshalText(text []byte) error {
	*m = nil
	var wrong []error
	for method := range strings.SplitSeq(string(text), ",") {
		if method = strings.TrimSpace(method); method == "" {
			continue
		}
		if !httpguts.ValidHeaderFieldName(method) { // a token too
			wrong = append(wrong, fmt.Errorf("%q is no method", method))
		}
		*m = append(*m, method)
	}
	return errors.Join(wrong...)
}

// MarshalText renders the list as UnmarshalText reads it.
func (m methodNames) MarshalText() ([]byte, error) { return []byte(strings.Join(m, ",")), nil }

// normalize returns method when it is known, else "_OTHER". What it returns is
// never the client's own text, which is a part of a whole request line.
func (m methodNames) normalize(method string) string {
	known := []string(m)
	if len(known) == 0 {
		known = knownMethods
	}
	if i := slices.Index(known, method); i >= 0 {
		return known[i]
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

// tellMethod tells of a method as it was sent.
func tellMethod(to attributes, method, normalized string, longest textLimit) {
	to.String(semconv.HTTPRequestMethodKey, normalized)
	if normalized == otherMethod {
		to.String(semconv.HTTPRequestMethodOriginalKey, longest.text(method))
	}
}
