package telemetry

import (
	"context"
	"log/slog"
	"net"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/handler/clock"
	"spangate/handler/wire/proxyproto"
	"spangate/telemetry/export/series"
)

// relayed is what there is to tell of connections that load balancers pass on.
type relayed struct {
	failures *series.Counter
	log      clock.Pace
}

func newRelayed(m *meter) *relayed {
	return &relayed{failures: m.counter(proxyProtocolFailuresName), log: clock.Pace{Every: time.Minute}}
}

// proxyHeaderFailed counts a connection that is closed for its header, and tells the
// log at most once a minute, as a load balancer that is set up wrong makes any
// number of them. peer is the load balancer.
func (t *Telemetry) proxyHeaderFailed(peer net.Addr, err *proxyproto.Error) {
	t.relayed.failures.Of(t.meter.with(semconv.ErrorTypeKey.String(err.ErrorType()))...).Add(context.Background(), 1)
	if failures, passes := t.relayed.log.Pass(); passes {
		t.Log.Warn("connection closed for its PROXY protocol header", slog.String("peer", peer.String()),
			slog.String("reason", err.ErrorType()), slog.Int("failures", failures), slog.String("error", err.Error()))
	}
}
