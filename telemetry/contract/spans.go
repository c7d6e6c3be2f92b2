package contract

// Spans are all spans.
var Spans = []Span{
	{
		Name: "{method} {http.route}", Kind: "SERVER", Meaning: "a request; without ROUTES, or where none takes it, {method} alone",
		Attributes: []string{
			"http.request.method", "http.request.method_original", "url.scheme", "url.path", "url.query",
			"server.address", "server.port", "client.address", "network.peer.address", "network.peer.port",
			"network.protocol.version", "user_agent.original", "faas.coldstart",
			"http.route", "spangate.route", "http.response.status_code", "http.request.body.size", "http.response.body.size", "error.type", "spangate.grpc.status", "spangate.backend",
			"spangate.attempt.count", "spangate.retry.stop_reason", "spangate.canary.side", "spangate.policy.rejection", "spangate.policy.reason",
			"spangate.concurrency.wait", "spangate.time_to_first_byte", "spangate.sampling.reason", "spangate.request.id", "enduser.id", "spangate.auth.method",
			"spangate.upgrade.protocol", "spangate.upgrade.duration", "spangate.upgrade.received", "spangate.upgrade.sent",
			"spangate.upgrade.closed_by", "spangate.upgrade.close_reason", "spangate.upgrade.close_code", "spangate.upgrade.farewell",
			"tls.protocol.version", "tls.cipher", "tls.curve", "tls.next_protocol", "tls.resumed", "spangate.tls.server_name",
			"tls.client.subject", "tls.client.hash.sha256", "tls.client.not_after",
		},
	},
	{
		Name: "{method}", Kind: "CLIENT", Meaning: "one attempt at one backend; of a copy for a mirror in a trace of its own, linked to the request's span",
		Attributes: []string{
			"http.request.method", "http.request.method_original", "url.full", "server.address", "server.port",
			"http.request.resend_count", "spangate.mirror", "spangate.backend", "spangate.backend.address", "service.peer.name",
			"spangate.balancer.algorithm", "spangate.balancer.ready", "spangate.route",
			"network.peer.address", "network.peer.port", "http.response.status_code", "network.protocol.version", "spangate.grpc.status", "error.type",
			"tls.protocol.version", "tls.cipher", "tls.curve", "tls.next_protocol", "tls.resumed", "spangate.connection.reused",
			"spangate.attempt.queue", "spangate.attempt.dns", "spangate.attempt.connect", "spangate.attempt.tls",
			"spangate.attempt.send", "spangate.attempt.wait", "spangate.attempt.receive",
		},
	},
	{
		Name: "rate_limit", Kind: "INTERNAL", Meaning: "the decision to let a request in, where there is a limit",
		Attributes: []string{
			"spangate.rate_limit.policy", "spangate.rate_limit.result", "spangate.rate_limit.limit", "spangate.rate_limit.remaining",
			"spangate.rate_limit.reset", "spangate.rate_limit.key_source", "spangate.rate_limit.store", "spangate.route", "error.type",
		},
	},
	{
		Name: "retry", Kind: "INTERNAL", Meaning: "the decision to make another attempt, and the wait before it",
		Attributes: []string{"spangate.retry.reason", "spangate.retry.attempt", "spangate.retry.delay", "spangate.route", "error.type"},
	},
	{
		Name: "probe", Kind: "INTERNAL", Meaning: "a probe, in a trace of its own",
		Attributes: []string{"spangate.backend", "spangate.probe.type", "spangate.probe.result", "spangate.probe.trigger", "spangate.route", "error.type"},
	},
	{
		Name: "{method}", Kind: "CLIENT", Meaning: "the request of an http or grpc probe",
		Attributes: []string{
			"http.request.method", "url.full", "server.address", "server.port", "user_agent.original", "user_agent.synthetic.type",
			"http.response.status_code", "error.type",
		},
	},
	{
		Name: "identity", Kind: "INTERNAL", Meaning: "a request's wait for a token to show the backend; there is none where the token is at hand; linked to the fetch where another request asked for it",
		Attributes: []string{"spangate.identity.type", "spangate.identity.audience", "spangate.route", "error.type"},
	},
	{
		Name: "{method}", Kind: "CLIENT", Meaning: "the fetch of a token, below the request that waits for it; where none does, or that is not sampled, in a trace of its own, linked to it",
		Attributes: []string{
			"http.request.method", "url.full", "server.address", "server.port", "spangate.identity.type", "spangate.identity.audience", "spangate.route",
			"http.response.status_code", "error.type",
		},
	},
	{
		Name: "backend_state_change", Kind: "INTERNAL", Meaning: "a change of a backend's state, in a trace of its own, linked to what led to it",
		Attributes: []string{"spangate.backend", "spangate.backend.state", "spangate.backend.previous_state", "spangate.backend.reason", "spangate.backend.error_type", "spangate.ejection.failures", "spangate.ejection.duration", "spangate.route"},
	},
	{
		Name: "canary_state_change", Kind: "INTERNAL", Meaning: "a canary loses its share of the requests, is tried, or has it again; in a trace of its own, linked to the attempts that led to it and to the change before",
		Attributes: canaryChange,
	},
	{
		Name: "certificate_order", Kind: "INTERNAL", Meaning: "an order of a certificate from an authority, in a trace of its own",
		Attributes: []string{"spangate.tls.certificate", "spangate.acme.renewal", "spangate.acme.challenge", "error.type"},
	},
}

// canaryChange is what span and event tell of a change of a canary's state.
var canaryChange = []string{
	"spangate.canary.state", "spangate.canary.previous_state", "spangate.canary.reason", "spangate.canary.wait",
	"spangate.canary.attempts", "spangate.canary.failures", "spangate.canary.stable_attempts", "spangate.canary.stable_failures", "spangate.route",
}
