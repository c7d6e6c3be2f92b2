package telemetry

import "spangate/balancer"

// Balancer returns what listens to a pool that balances by that algorithm.
func (t *Telemetry) Balancer(algorithm balancer.Algorithm) balancer.Hooks {
	hooks := balancer.Hooks{
		RetryStopped: t.retryStopped,
		Probe:        t.probe,
		ProbeRequest: t.probeRequest,
		Changed:      t.stateChanged,
		Discovered:   t.discovered,
		Handshake:    t.handshakeWithBackend,
		Reloaded:     t.reloaded,
		Failed:       t.Exhausted,
	}
	if !t.off {
		hooks.Picked = t.picked(algorithm)
		hooks.Connections = t.connections
		hooks.Attempt = t.client(algorithm)
		hooks.Attempted = t.attempted
		hooks.RetryWait = t.retryWait
	}
	return hooks
}
