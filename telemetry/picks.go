package telemetry

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"spangate/balancer"
	"spangate/handler/fault"
)

// picked returns what counts the choices of that algorithm.
func (t *Telemetry) picked(algorithm balancer.Algorithm) func(*http.Request, *balancer.Backend) {
	m := &t.metrics.pick
	return func(r *http.Request, b *balancer.Backend) {
		set := pickSet{algorithm: algorithm}
		if b != nil {
			set.backend = b.Name
		}
		m.picks.Add(r.Context(), 1, m.sets.get(set).add...)
	}
}

type pickMetrics struct {
	picks metric.Int64Counter
	sets  setCache[pickSet]
}

func newPickMetrics(m *meter) pickMetrics {
	return pickMetrics{picks: m.counter(balancerPicksName), sets: newSets(m, pickSet.attributes)}
}

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
