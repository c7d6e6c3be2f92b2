package route

import (
	"net/http"

	"spangate/balancer"
	"spangate/telemetry"
)

// beside is what a route has beside its backends; nil where it has none.
type beside struct {
	canary *balancer.Canary
	mirror *balancer.Mirror
}

// behind returns what sends the requests of a route to its backends, and to those that it
// has beside them, in the order in which a request meets them: the mirror copies what
// backends get, all attempts are recorded together, the canary gets its share, and what
// is left is tried at the backends of own. A route without a canary or a mirror has none
// on its way. to gets those that there are.
func (p *parts) behind(n *Named, own *balancer.Pool, to *beside, tel *telemetry.Telemetry) (http.RoundTripper, error) {
	retrier := balancer.Retry(n.Balancer.Retry, own)
	tel.ObserveBudget(retrier.BudgetLeft)
	var sends http.RoundTripper = retrier
	if n.Canary.Backends != nil {
		pool, err := p.pool(n.Canary.Pool(n.Balancer), n, "CANARY_", tel)
		if err != nil {
			return nil, err
		}
		canary := balancer.NewCanary(n.Canary, retrier, pool, tel.Canary())
		tel.ObserveCanary(canary.State)
		sends, to.canary = canary, canary
	}
	sends = tel.Forward(sends) // each attempt has a span of its own below
	if n.Mirror.Backends == nil {
		return sends, nil
	}
	pool, err := p.pool(n.Mirror.Pool(n.Balancer), n, "MIRROR_", tel)
	if err != nil {
		return nil, err
	}
	mirror := balancer.NewMirror(n.Mirror, n.Balancer.Retry.BodyLimit, pool, sends, tel.Mirror())
	tel.ObserveMirror(mirror.Waiting, mirror.MemoryInUse)
	p.mirrors, to.mirror = append(p.mirrors, mirror), mirror
	return mirror, nil
}
