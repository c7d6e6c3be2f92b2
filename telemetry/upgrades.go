package telemetry

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/handler"
	"spangate/handler/wire/websocket"
	"spangate/telemetry/export/series"
)

// upgradeMetrics are those of upgraded connections. What passes on them is looked at when
// it is collected: some are open for days, and nothing that passes pays for it. It is safe
// for concurrent use.
type upgradeMetrics struct {
	duration *bound[upgradeSet, series.Distribution[time.Duration]]
	active   *bound[upgradeProtocol, series.Sum]
	passed   *bound[upgradeWay, series.Sum]

	mu   sync.Mutex
	open map[*handler.Upgrade]*openUpgrade
}

// openUpgrade is what was counted of an upgraded connection so far.
type openUpgrade struct {
	protocol       upgradeProtocol
	received, sent int64
}

func newUpgradeMetrics(m *meter) *upgradeMetrics {
	duration, active := m.durations(upgradeDurationName), m.upDownCounter(upgradeActiveName)
	u := &upgradeMetrics{
		duration: bind(m, func(of upgradeSet) *series.Distribution[time.Duration] {
			return duration.Of(m.with(of.attributes()...)...)
		}),
		active: bind(m, func(p upgradeProtocol) *series.Sum {
			return active.Of(m.with(upgradeProtocolKey.String(string(p)))...)
		}),
		passed: counted(m, upgradeIOName, upgradeWay.attributes),
		open:   map[*handler.Upgrade]*openUpgrade{},
	}
	m.OnCollect(u.count)
	return u
}

type upgradeSet struct {
	protocol upgradeProtocol
	closedBy websocket.Party
	reason   closeReason
}

func (s upgradeSet) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		upgradeProtocolKey.String(string(s.protocol)), upgradeClosedByKey.String(string(s.closedBy)), upgradeCloseReasonKey.String(string(s.reason)),
	}
}

// upgradeWay is one of the two directions.
type upgradeWay struct {
	protocol upgradeProtocol
	sent     bool // to clients
}

func (w upgradeWay) attributes() []attribute.KeyValue {
	direction := semconv.NetworkIODirectionReceive
	if w.sent {
		direction = semconv.NetworkIODirectionTransmit
	}
	return []attribute.KeyValue{upgradeProtocolKey.String(string(w.protocol)), direction}
}

func (m *upgradeMetrics) began(u *handler.Upgrade, protocol upgradeProtocol) {
	m.active.of(protocol).Add(context.Background(), 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open[u] = &openUpgrade{protocol: protocol}
}

func (m *upgradeMetrics) ended(ctx context.Context, u *handler.Upgrade, of *upgrade) {
	m.active.of(of.protocol).Add(context.Background(), -1)
	m.duration.of(upgradeSet{of.protocol, of.closedBy, of.reason}).Record(ctx, of.took)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(u, m.open[u])
	delete(m.open, u)
}

// count counts what has passed since it was counted last.
func (m *upgradeMetrics) count() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for u, so := range m.open {
		m.add(u, so)
	}
}

// add counts what has passed on u besides so much. The caller holds mu.
func (m *upgradeMetrics) add(u *handler.Upgrade, so *openUpgrade) {
	received, sent := u.Passed()
	m.passed.of(upgradeWay{so.protocol, false}).Add(context.Background(), received-so.received)
	m.passed.of(upgradeWay{so.protocol, true}).Add(context.Background(), sent-so.sent)
	so.received, so.sent = received, sent
}
