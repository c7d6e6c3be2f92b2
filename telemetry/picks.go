package telemetry

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"

	"spangate/balancer"
	"spangate/handler/fault"
	"spangate/telemetry/export/series"
)

// picked returns what counts the choices of that algorithm.
func (t *Telemetry) picked(algorithm balancer.Algorithm) func(*http.Request, *balancer.Backend) {
	return func(r *http.Request, b *balancer.Backend) {
		set := pickSet{algorithm: algorithm}
		if b != nil {
			set.backend = b.Name
		}
		t.at(exchangeOf(r.Context())).metrics().pick.of(set).Add(r.Context(), 1)
	}
}

type pickMetrics = *bound[pickSet, series.Sum]

func newPickMetrics(m *meter) pickMetrics { return counted(m, balancerPicksName, pickSet.attributes) }

// pickSet is a series of choices. The backend is empty when there was none.
type pickSet struct {
	algorithm balancer.Algorithm
	backend   string
}

func (s pickSet) attributes() []attribute.KeyValue {
	algorithm := balancerAlgorithmKey.String(string(s.algorithm))
	if s.backend == "" {
		return []attribute.KeyValue{algorithm, balancerResultKey.String(string(fault.NoHealthyBackend))}
	}
	return []attribute.KeyValue{algorithm, backendKey.String(s.backend), balancerResultKey.String("picked")}
}
