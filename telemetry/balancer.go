package telemetry

import "spangate/balancer"

// Balancer returns what listens to a pool that balances by that algorithm. Where nothing
// is recorded of requests, none of what would be told of them is there.
func (t *Telemetry) Balancer(algorithm balancer.Algorithm) balancer.Hooks {
	hooks := balancer.Hooks{
		Probe:        t.probe,
		ProbeRequest: t.probeRequest,
		Changed:      t.stateChanged,
		Discovered:   t.discovered,
		Handshake:    t.handshakeWithBackend,
		Reloaded:     t.reloaded,
		Failed:       t.Exhausted,
		Identity:     t.identity(),
	}
	if !t.off {
		hooks.Picked = t.picked(algorithm)
		hooks.Connections = t.connections
		hooks.Attempt = t.client(algorithm)
		hooks.Attempted = t.attempted
		hooks.RetryWait = t.retryWait
		hooks.RetryStopped = t.retryStopped
	}
	return hooks
}
