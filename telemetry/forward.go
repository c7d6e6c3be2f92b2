package telemetry

import (
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/handler/fault"
)

// Forward records how long next takes to get a response for a request and how
// many attempts it needs.
func (t *Telemetry) Forward(next http.RoundTripper) http.RoundTripper {
	if t.off {
		return next
	}
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		start := time.Now()
		resp, err := next.RoundTrip(r)
		errorType := ""
		if err != nil {
			errorType = string(fault.Of(r.Context(), err).Type)
		}
		set := t.forwardSets.get(errorType, func(errorType string) []attribute.KeyValue {
			if errorType == "" {
				return nil
			}
			return []attribute.KeyValue{semconv.ErrorTypeKey.String(errorType)}
		})
		took := time.Since(start)
		t.forwardDuration.Record(r.Context(), took.Seconds(), set.record...)
		if e := exchangeOf(r.Context()); e != nil {
			e.forwarded = took
			if err == nil {
				e.answered = e.backend
			}
			t.forwardAttempts.Record(r.Context(), int64(e.attempts))
		}
		return resp, err
	})
}

// roundTripper is a function as an [http.RoundTripper].
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
