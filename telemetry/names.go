package telemetry

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation in traces and metrics.
const scope = "spangate"

// Attributes of our own. Those of the conventions come from semconv.
const (
	backendAddressKey    = attribute.Key("spangate.backend.address")
	backendKey           = attribute.Key("spangate.backend")
	balancerAlgorithmKey = attribute.Key("spangate.balancer.algorithm")
	balancerReadyKey     = attribute.Key("spangate.balancer.ready")
	attemptCountKey      = attribute.Key("spangate.attempt.count")
	retryReasonKey       = attribute.Key("spangate.retry.reason")
	retryDelayKey        = attribute.Key("spangate.retry.delay") // seconds
	retryAttemptKey      = attribute.Key("spangate.retry.attempt")
	retryStopReasonKey   = attribute.Key("spangate.retry.stop_reason")
	probeTypeKey         = attribute.Key("spangate.probe.type")
	probeResultKey       = attribute.Key("spangate.probe.result")
	probeTriggerKey      = attribute.Key("spangate.probe.trigger")
	stateKey             = attribute.Key("spangate.backend.state")
	previousStateKey     = attribute.Key("spangate.backend.previous_state")
	stateReasonKey       = attribute.Key("spangate.backend.reason")
	rejectionKey         = attribute.Key("spangate.policy.rejection") // the policy's name
	rejectionReasonKey   = attribute.Key("spangate.policy.reason")
	concurrencyWaitKey   = attribute.Key("spangate.concurrency.wait") // seconds
	authMethodKey        = attribute.Key("spangate.auth.method")
	requestIDKey         = attribute.Key("spangate.request.id")

	rateLimitPolicyKey    = attribute.Key("spangate.rate_limit.policy")
	rateLimitResultKey    = attribute.Key("spangate.rate_limit.result")
	rateLimitLimitKey     = attribute.Key("spangate.rate_limit.limit")
	rateLimitRemainingKey = attribute.Key("spangate.rate_limit.remaining")
	rateLimitResetKey     = attribute.Key("spangate.rate_limit.reset") // seconds
	rateLimitKeySourceKey = attribute.Key("spangate.rate_limit.key_source")
	rateLimitStoreKey     = attribute.Key("spangate.rate_limit.store")
)

// Metrics of our own.
const (
	forwardDurationName = "spangate.forward.duration"
	forwardAttemptsName = "spangate.forward.attempts"
	timeToFirstByteName = "spangate.time_to_first_byte"
	backendActiveName   = "spangate.backend.active_requests"
	backendStatusName   = "spangate.backend.status"
	stateChangesName    = "spangate.backend.state_changes"
	retryDecisionsName  = "spangate.retry.decisions"
	retryBudgetName     = "spangate.retry.budget"
	probeDurationName   = "spangate.probe.duration"
	rejectionsName      = "spangate.policy.rejections"
	activeRequestsName  = "spangate.concurrency.active"
	queuedRequestsName  = "spangate.concurrency.queued"
	queueWaitName       = "spangate.concurrency.wait"

	rateLimitDecisionsName = "spangate.rate_limit.decisions"
	rateLimitKeysName      = "spangate.rate_limit.keys"
)

// The kinds of our spans.
var (
	serverKind = trace.WithSpanKind(trace.SpanKindServer)
	clientKind = trace.WithSpanKind(trace.SpanKindClient)
)
