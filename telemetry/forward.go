package telemetry

import (
	"net/http"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/balancer"
	"spangate/handler/fault"
	"spangate/telemetry/export/series"
	"spangate/telemetry/logline"
)

// Forward records how long next takes to get a response for a request and how
// many attempts it needs.
func (t *Telemetry) Forward(next http.RoundTripper) http.RoundTripper {
	if t.off {
		return next
	}
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		ctx := r.Context() // of an attempt it is another one
		e := exchangeOf(ctx)
		start := e.now()
		resp, err := next.RoundTrip(r)
		errorType := ""
		if err != nil {
			errorType = string(fault.Of(ctx, err).Type)
		}
		took := time.Since(start)
		of := t.at(e).metrics().forward.of(errorType)
		of.duration.Record(ctx, took)
		if e != nil {
			e.forwarded.took = took
			if err == nil {
				e.forwarded.answered = e.forwarded.backend.Name
			}
			of.attempts.Record(ctx, int64(e.forwarded.attempts))
		}
		return resp, err
	})
}

// forwarded is what became of a request's attempts.
type forwarded struct {
	attempts int
	backend  *balancer.Backend    // of the latest
	before   []*balancer.Backend  // of those before it, in order
	room     [2]*balancer.Backend // for these
	answered string               // backend whose response is passed on; empty: none
	took     time.Duration        // to get a response, or to fail to; 0: nobody tried
}

// tried notes that an attempt is made at b.
func (f *forwarded) tried(b *balancer.Backend) {
	switch {
	case f.attempts == 1:
		f.before = append(f.room[:0], f.backend)
	case f.attempts > 1:
		f.before = append(f.before, f.backend)
	}
	f.attempts++
	f.backend = b
}

func (f *forwarded) span(to attributes) {
	to.Int(attemptCountKey, f.attempts)
	if f.answered != "" {
		to.String(backendKey, f.answered)
	}
}

func (f *forwarded) line(line *logline.Line) {
	if f.attempts > 0 {
		line.String("backend", f.backend.Name)
		line.Int("attempts", int64(f.attempts))
	}
	if f.before != nil {
		var tried []byte
		for _, b := range f.before {
			tried = append(append(tried, b.ID()...), ',') // which no name has
		}
		line.String("backends", string(tried)+f.backend.ID())
	}
}

// forwardMetrics are those of all attempts of a request together, by error.type.
type forwardMetrics = *bound[string, forwardSeries]

// forwardSeries are what they are recorded with.
type forwardSeries struct {
	duration *series.Distribution[time.Duration]
	attempts *series.Distribution[int64] // whatever they came to
}

func newForwardMetrics(m *meter) forwardMetrics {
	duration, attempts := m.durations(forwardDurationName), m.histogram(forwardAttemptsName).Of(m.with()...)
	return bind(m, func(errorType string) *forwardSeries {
		attributes := m.with()
		if errorType != "" {
			attributes = m.with(semconv.ErrorTypeKey.String(errorType))
		}
		return &forwardSeries{duration: duration.Of(attributes...), attempts: attempts}
	})
}

// roundTripper is a function as an [http.RoundTripper].
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
