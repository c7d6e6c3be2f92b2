package route

import (
	"net/http"

	"spangate/balancer"
	"spangate/telemetry"
)

// behind returns what sends the requests of a route to its backends, and to those that it
// has beside them, in the order in which a request meets them: the mirror copies what
// backends get, all attempts are recorded together, the canary gets its share, and what
// is left is tried at the backends of own. A route without a canary or a mirror has none
// on its way.
func (p *parts) behind(n *Named, own *balancer.Pool, tel *telemetry.Telemetry) (http.RoundTripper, error) {
	retrier := balancer.Retry(n.Balancer.Retry, own)
	tel.ObserveBudget(retrier.BudgetLeft)
	var sends http.RoundTripper = retrier
	if n.Canary.Backends != nil {
		pool, err := p.pool(n.Canary.Pool(n.Balancer), n.Probe, true, tel)
		if err != nil {
			return nil, err
		}
		canary := balancer.NewCanary(n.Canary, retrier, pool, tel.Canary())
		tel.ObserveCanary(canary.State)
		sends = canary
	}
	sends = tel.Forward(sends) // each attempt has a span of its own below
	if n.Mirror.Backends == nil {
		return sends, nil
	}
	pool, err := p.pool(n.Mirror.Pool(n.Balancer), n.Probe, true, tel)
	if err != nil {
		return nil, err
	}
	mirror := balancer.NewMirror(n.Mirror, n.Balancer.Retry.BodyLimit, pool, sends, tel.Mirror())
	tel.ObserveMirror(mirror.Waiting, mirror.MemoryInUse)
	p.mirrors = append(p.mirrors, mirror)
	return mirror, nil
}
