package telemetry

import (
	"spangate/handler/wire"
	"spangate/telemetry/export/series"
)

// Front returns what is told of what happens before there is a request, or instead of one.
func (t *Telemetry) Front() wire.Hooks {
	return wire.Hooks{
		Failed:      t.Exhausted,
		Handshake:   t.handshakeOfClient,
		Refused:     t.requestRefused,
		Flooded:     t.flooded,
		ProxyHeader: t.proxyHeaderFailed,
		Reloaded:    t.reloaded,
		Issued:      t.issued(),
	}
}

// frontMetrics are those of what happens before there is a request, or instead of one.
type frontMetrics struct {
	handshakes *handshakeMetrics
	unreadable *unreadable
	reloads    *series.Counter
	orders     *series.Counter
	expiresIn  *series.Observed[float64]
	warned     daily // of backends' certificates
}

func newFrontMetrics(m *meter) *frontMetrics {
	return &frontMetrics{
		handshakes: newHandshakeMetrics(m),
		unreadable: newUnreadable(m),
		reloads:    m.counter(tlsReloadsName),
		orders:     m.counter(acmeOrdersName),
		expiresIn:  m.gauge(tlsCertificateExpiresInName),
	}
}
