// Code generated from telemetry/contract. DO NOT EDIT.

package telemetry

import "go.opentelemetry.io/otel/attribute"

// Attributes of our own.
const (
	acmeChallengeKey           = attribute.Key("spangate.acme.challenge")
	acmeNextOrderKey           = attribute.Key("spangate.acme.next_order")
	acmeRenewalKey             = attribute.Key("spangate.acme.renewal")
	acmeResultKey              = attribute.Key("spangate.acme.result")
	acmeStateKey               = attribute.Key("spangate.acme.state")
	attemptConnectKey          = attribute.Key("spangate.attempt.connect")
	attemptCountKey            = attribute.Key("spangate.attempt.count")
	attemptDNSKey              = attribute.Key("spangate.attempt.dns")
	attemptQueueKey            = attribute.Key("spangate.attempt.queue")
	attemptReceiveKey          = attribute.Key("spangate.attempt.receive")
	attemptSendKey             = attribute.Key("spangate.attempt.send")
	attemptTLSKey              = attribute.Key("spangate.attempt.tls")
	attemptWaitKey             = attribute.Key("spangate.attempt.wait")
	authMethodKey              = attribute.Key("spangate.auth.method")
	backendKey                 = attribute.Key("spangate.backend")
	backendAddressKey          = attribute.Key("spangate.backend.address")
	backendErrorTypeKey        = attribute.Key("spangate.backend.error_type")
	backendPreviousStateKey    = attribute.Key("spangate.backend.previous_state")
	backendReasonKey           = attribute.Key("spangate.backend.reason")
	backendStateKey            = attribute.Key("spangate.backend.state")
	balancerAlgorithmKey       = attribute.Key("spangate.balancer.algorithm")
	balancerReadyKey           = attribute.Key("spangate.balancer.ready")
	balancerResultKey          = attribute.Key("spangate.balancer.result")
	canaryAttemptsKey          = attribute.Key("spangate.canary.attempts")
	canaryFailuresKey          = attribute.Key("spangate.canary.failures")
	canaryPreviousStateKey     = attribute.Key("spangate.canary.previous_state")
	canaryReasonKey            = attribute.Key("spangate.canary.reason")
	canarySideKey              = attribute.Key("spangate.canary.side")
	canaryStableAttemptsKey    = attribute.Key("spangate.canary.stable_attempts")
	canaryStableFailuresKey    = attribute.Key("spangate.canary.stable_failures")
	canaryStateKey             = attribute.Key("spangate.canary.state")
	canaryWaitKey              = attribute.Key("spangate.canary.wait")
	concurrencyWaitKey         = attribute.Key("spangate.concurrency.wait")
	connectionReusedKey        = attribute.Key("spangate.connection.reused")
	ejectionDurationKey        = attribute.Key("spangate.ejection.duration")
	ejectionFailuresKey        = attribute.Key("spangate.ejection.failures")
	grpcStatusKey              = attribute.Key("spangate.grpc.status")
	identityAudienceKey        = attribute.Key("spangate.identity.audience")
	identityTypeKey            = attribute.Key("spangate.identity.type")
	mirrorKey                  = attribute.Key("spangate.mirror")
	mirrorReasonKey            = attribute.Key("spangate.mirror.reason")
	mirrorResultKey            = attribute.Key("spangate.mirror.result")
	policyReasonKey            = attribute.Key("spangate.policy.reason")
	policyRejectionKey         = attribute.Key("spangate.policy.rejection")
	probeResultKey             = attribute.Key("spangate.probe.result")
	probeTriggerKey            = attribute.Key("spangate.probe.trigger")
	probeTypeKey               = attribute.Key("spangate.probe.type")
	rateLimitKeySourceKey      = attribute.Key("spangate.rate_limit.key_source")
	rateLimitLimitKey          = attribute.Key("spangate.rate_limit.limit")
	rateLimitPolicyKey         = attribute.Key("spangate.rate_limit.policy")
	rateLimitRemainingKey      = attribute.Key("spangate.rate_limit.remaining")
	rateLimitResetKey          = attribute.Key("spangate.rate_limit.reset")
	rateLimitResultKey         = attribute.Key("spangate.rate_limit.result")
	rateLimitStoreKey          = attribute.Key("spangate.rate_limit.store")
	rateLimitOnStoreErrorKey   = attribute.Key("spangate.rate_limit.on_store_error")
	floodCountKey              = attribute.Key("spangate.flood.count")
	requestCountKey            = attribute.Key("spangate.request.count")
	requestIDKey               = attribute.Key("spangate.request.id")
	retryAttemptKey            = attribute.Key("spangate.retry.attempt")
	retryDecisionKey           = attribute.Key("spangate.retry.decision")
	retryDelayKey              = attribute.Key("spangate.retry.delay")
	retryReasonKey             = attribute.Key("spangate.retry.reason")
	retryStopReasonKey         = attribute.Key("spangate.retry.stop_reason")
	timeToFirstByteKey         = attribute.Key("spangate.time_to_first_byte")
	tlsCertificateKey          = attribute.Key("spangate.tls.certificate")
	tlsCertificateExpiresInKey = attribute.Key("spangate.tls.certificate.expires_in")
	tlsHandshakeCountKey       = attribute.Key("spangate.tls.handshake.count")
	tlsPeerKey                 = attribute.Key("spangate.tls.peer")
	tlsReloadResultKey         = attribute.Key("spangate.tls.reload.result")
	tlsServerNameKey           = attribute.Key("spangate.tls.server_name")
	routeKey                   = attribute.Key("spangate.route")
	samplingReasonKey          = attribute.Key("spangate.sampling.reason")
	telemetryResultKey         = attribute.Key("spangate.telemetry.result")
	upgradeCloseCodeKey        = attribute.Key("spangate.upgrade.close_code")
	upgradeCloseReasonKey      = attribute.Key("spangate.upgrade.close_reason")
	upgradeClosedByKey         = attribute.Key("spangate.upgrade.closed_by")
	upgradeDurationKey         = attribute.Key("spangate.upgrade.duration")
	upgradeProtocolKey         = attribute.Key("spangate.upgrade.protocol")
	upgradeReceivedKey         = attribute.Key("spangate.upgrade.received")
	upgradeSentKey             = attribute.Key("spangate.upgrade.sent")
	upgradeFarewellKey         = attribute.Key("spangate.upgrade.farewell")
)

// Metrics of our own.
const (
	forwardDurationName            = "spangate.forward.duration"
	forwardAttemptsName            = "spangate.forward.attempts"
	timeToFirstByteName            = "spangate.time_to_first_byte"
	attemptTimeToFirstByteName     = "spangate.attempt.time_to_first_byte"
	balancerPicksName              = "spangate.balancer.picks"
	backendActiveRequestsName      = "spangate.backend.active_requests"
	backendStatusName              = "spangate.backend.status"
	backendStateChangesName        = "spangate.backend.state_changes"
	backendUnsolicitedResponseName = "spangate.backend.unsolicited_response"
	probeDurationName              = "spangate.probe.duration"
	identityFetchDurationName      = "spangate.identity.fetch.duration"
	retryDecisionsName             = "spangate.retry.decisions"
	retryBudgetName                = "spangate.retry.budget"
	canaryShareName                = "spangate.canary.share"
	canaryStatusName               = "spangate.canary.status"
	canaryStateChangesName         = "spangate.canary.state_changes"
	mirrorRequestsName             = "spangate.mirror.requests"
	mirrorWaitingName              = "spangate.mirror.waiting"
	mirrorMemoryName               = "spangate.mirror.memory"
	policyRejectionsName           = "spangate.policy.rejections"
	requestRefusalsName            = "spangate.request.refusals"
	floodsName                     = "spangate.floods"
	rateLimitDecisionsName         = "spangate.rate_limit.decisions"
	rateLimitKeysName              = "spangate.rate_limit.keys"
	concurrencyActiveName          = "spangate.concurrency.active"
	concurrencyQueuedName          = "spangate.concurrency.queued"
	concurrencyWaitName            = "spangate.concurrency.wait"
	upgradeDurationName            = "spangate.upgrade.duration"
	upgradeIOName                  = "spangate.upgrade.io"
	upgradeActiveName              = "spangate.upgrade.active"
	proxyProtocolFailuresName      = "spangate.proxy_protocol.failures"
	tlsHandshakeFailuresName       = "spangate.tls.handshake.failures"
	tlsReloadsName                 = "spangate.tls.reloads"
	tlsCertificateExpiresInName    = "spangate.tls.certificate.expires_in"
	acmeOrdersName                 = "spangate.acme.orders"
	telemetrySpansName             = "spangate.telemetry.spans"
)

// Spans, save those that are named after the method.
const (
	rateLimitSpan          = "rate_limit"
	retrySpan              = "retry"
	probeSpan              = "probe"
	identitySpan           = "identity"
	backendStateChangeSpan = "backend_state_change"
	canaryStateChangeSpan  = "canary_state_change"
	certificateOrderSpan   = "certificate_order"
)

// Events.
const (
	backendStateChangedEvent       = "spangate.backend.state_changed"
	canaryStateChangedEvent        = "spangate.canary.state_changed"
	policyRejectedEvent            = "spangate.policy.rejected"
	upgradeEndedEvent              = "spangate.upgrade.ended"
	requestRefusedEvent            = "spangate.request.refused"
	floodStoppedEvent              = "spangate.flood.stopped"
	rateLimitStoreLostEvent        = "spangate.rate_limit.store_lost"
	rateLimitStoreReachedEvent     = "spangate.rate_limit.store_reached"
	identityFetchFailedEvent       = "spangate.identity.fetch_failed"
	identityFetchedEvent           = "spangate.identity.fetched"
	tlsHandshakeFailedEvent        = "spangate.tls.handshake_failed"
	tlsCertificateReloadedEvent    = "spangate.tls.certificate_reloaded"
	tlsCertificateRejectedEvent    = "spangate.tls.certificate_rejected"
	tlsCertificateExpiringEvent    = "spangate.tls.certificate_expiring"
	tlsCertificateIssuedEvent      = "spangate.tls.certificate_issued"
	tlsCertificateOrderFailedEvent = "spangate.tls.certificate_order_failed"
	tlsCertificateLoadedEvent      = "spangate.tls.certificate_loaded"
	acmeStateFailedEvent           = "spangate.acme.state_failed"
)
