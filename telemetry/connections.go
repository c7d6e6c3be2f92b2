package telemetry

import (
	"context"
	"sync"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

	"spangate/balancer"
	"spangate/handler/wire"
	"spangate/telemetry/export/series"
)

// connections returns what records how long connections to b are open, counts
// those on which something came that nobody had asked for, and says where the course
// of each attempt is noted.
func (t *Telemetry) connections(b *balancer.Backend) wire.ConnectionHooks {
	host, port := splitHost(b.URL.Host, b.URL.Scheme)
	lifetime := sync.OnceValue(func() *series.Distribution[time.Duration] {
		return t.metrics().connection.duration.Of(t.meter.with(semconv.ServerAddress(host), semconv.ServerPort(port))...)
	})
	unsolicited := sync.OnceValue(func() *series.Sum {
		return t.metrics().connection.unsolicited.Of(t.meter.with(backendKey.String(b.Name))...)
	})
	return wire.ConnectionHooks{
		Course:      t.courseOf,
		Ended:       func(d time.Duration) { lifetime().Record(context.Background(), d) },
		Unsolicited: func() { unsolicited().Add(context.Background(), 1) },
	}
}

// connectionMetrics are those of connections to backends.
type connectionMetrics struct {
	duration    *series.Histogram[time.Duration]
	unsolicited *series.Counter
}

func newConnectionMetrics(m *meter) connectionMetrics {
	return connectionMetrics{
		duration:    m.durations(httpconv.ClientConnectionDuration{}.Name()),
		unsolicited: m.counter(backendUnsolicitedResponseName),
	}
}
