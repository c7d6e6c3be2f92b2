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
	c := &connections{t: t, to: b}
	return wire.ConnectionHooks{Course: t.courseOf, Ended: c.ended, Unsolicited: c.cameUnsolicited}
}

// connections are those to one backend. Their series are found when there is something to
// record. There is one for each backend of each route: it is small.
type connections struct {
	t           *Telemetry
	to          *balancer.Backend
	first       struct{ ended, unsolicited sync.Once }
	duration    *series.Distribution[time.Duration]
	unsolicited *series.Sum
}

func (c *connections) ended(d time.Duration) {
	c.first.ended.Do(func() {
		host, port := splitHost(c.to.URL.Host, c.to.URL.Scheme)
		c.duration = c.t.metrics().connection.duration.Of(c.t.meter.with(semconv.ServerAddress(host), semconv.ServerPort(port))...)
	})
	c.duration.Record(context.Background(), d)
}

func (c *connections) cameUnsolicited() {
	c.first.unsolicited.Do(func() {
		c.unsolicited = c.t.metrics().connection.unsolicited.Of(c.t.meter.with(backendKey.String(c.to.Name))...)
	})
	c.unsolicited.Add(context.Background(), 1)
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
