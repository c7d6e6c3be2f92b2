package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

	"spangate/balancer"
	"spangate/handler/wire"
)

// connections returns what records how long connections to b are open, counts
// those on which something came that nobody had asked for, and says where the course
// of each attempt is noted.
func (t *Telemetry) connections(b *balancer.Backend) wire.ConnectionHooks {
	host, port := splitHost(b.URL.Host, b.URL.Scheme)
	lifetime := t.meter.with(semconv.ServerAddress(host), semconv.ServerPort(port))
	name := t.meter.with(backendKey.String(b.Name))
	return wire.ConnectionHooks{
		Course: t.courseOf,
		Ended: func(d time.Duration) {
			t.metrics.connection.duration.Record(context.Background(), d.Seconds(), lifetime)
		},
		Unsolicited: func() { t.metrics.connection.unsolicited.Add(context.Background(), 1, name) },
	}
}

// connectionMetrics are those of connections to backends.
type connectionMetrics struct {
	duration    metric.Float64Histogram
	unsolicited metric.Int64Counter
}

func newConnectionMetrics(m *meter) connectionMetrics {
	return connectionMetrics{
		duration:    convention(m, httpconv.NewClientConnectionDuration).Float64Histogram,
		unsolicited: m.counter(backendUnsolicitedResponseName),
	}
}
