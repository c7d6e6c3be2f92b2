package telemetry

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation in traces and metrics.
const scope = "spangate"

// Attributes of our own. Those of the conventions come from semconv.
const (
	backendKey           = attribute.Key("spangate.backend")
	balancerAlgorithmKey = attribute.Key("spangate.balancer.algorithm")
	balancerReadyKey     = attribute.Key("spangate.balancer.ready")
	attemptCountKey      = attribute.Key("spangate.attempt.count")
)

// Metrics of our own.
const (
	forwardDurationName = "spangate.forward.duration"
	forwardAttemptsName = "spangate.forward.attempts"
	timeToFirstByteName = "spangate.time_to_first_byte"
	backendActiveName   = "spangate.backend.active_requests"
)

// The kinds of our spans.
var (
	serverKind = trace.WithSpanKind(trace.SpanKindServer)
	clientKind = trace.WithSpanKind(trace.SpanKindClient)
)
