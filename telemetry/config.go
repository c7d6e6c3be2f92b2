package telemetry

import (
	"spangate/telemetry/export"
	"spangate/telemetry/logline"
)

// Config says what is recorded, and where that goes.
type Config struct {
	Log          logline.Config
	Trust        trust           `env:"TRACE_TRUST" envDefault:"auto" auto:"link" doc:"trace context from peers outside TRUSTED_PROXIES: link (a new trace, linked), ignore or trust; auto is link"`
	ServerTiming bool            `env:"SERVER_TIMING" envDefault:"false" doc:"true tells clients in Server-Timing which span is theirs, how long the proxy and the backend took, and of the last attempt its phases"`
	Probes       tracedProbes    `env:"TRACE_PROBES" envDefault:"all" needs:"PROBE_MODE!=off" doc:"probes that have spans, whatever OTEL_TRACES_SAMPLER is but always_off: all, failed (and those that changed a backend's state) or changes (those that did, alone)"`
	RateLimit    tracedDecisions `env:"TRACE_RATE_LIMIT" envDefault:"all" needs:"RATE_LIMIT" doc:"decisions of the rate limit that have spans, in requests that are sampled: all, or denied, which leaves out those that let a request in"`
	Baggage      baggageKeys     `env:"TRACE_BAGGAGE" list:"true" zero:"none" doc:"comma list of the keys of baggage that pass from peers outside TRUSTED_PROXIES to the backends, or * for all; none when empty"`

	KnownMethods methodNames `env:"OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS" list:"true" zero:"RFC 9110's, PATCH and QUERY" doc:"comma list of the request methods that telemetry names; others are _OTHER; those of RFC 9110, PATCH and QUERY when empty"`

	GRPCMethods grpcMethods `env:"TELEMETRY_GRPC_METHODS" list:"true" zero:"none" doc:"comma list of methods of gRPC, /package.Service/Method or /package.Service/* for all of one together, that the server's metrics name in rpc.method, where other calls are _OTHER; without it no call has a name there"`

	Export export.Config
}
