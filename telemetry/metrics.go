package telemetry

// metrics are all that the decorators of a route record. Each file has its own.
type metrics struct {
	server     *serverMetrics
	forward    forwardMetrics
	attempt    attemptMetrics
	connection connectionMetrics
	pick       pickMetrics
	retry      retryMetrics
	state      stateMetrics
	canary     canaryMetrics
	mirror     mirrorMetrics
	probe      probeMetrics
	identity   identityMetrics
	refusal    refusalMetrics
	queue      queueMetrics
	rateLimit  rateLimitMetrics
	upgrade    *upgradeMetrics
}

func newMetrics(m *meter) *metrics {
	return &metrics{
		server:     newServerMetrics(m),
		forward:    newForwardMetrics(m),
		attempt:    newAttemptMetrics(m),
		connection: newConnectionMetrics(m),
		pick:       newPickMetrics(m),
		retry:      newRetryMetrics(m),
		state:      newStateMetrics(m),
		canary:     newCanaryMetrics(m),
		mirror:     newMirrorMetrics(m),
		probe:      newProbeMetrics(m),
		identity:   newIdentityMetrics(m),
		refusal:    newRefusalMetrics(m),
		queue:      newQueueMetrics(m),
		rateLimit:  newRateLimitMetrics(m),
		upgrade:    newUpgradeMetrics(m),
	}
}
