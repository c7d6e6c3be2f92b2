package contract

import (
	"slices"
	"strings"
)

// seconds are the boundaries that the conventions give for the durations of
// HTTP requests.
var seconds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

var serverAttributes = []string{"http.request.method", "url.scheme", "network.protocol.version", "http.response.status_code", "error.type", "spangate.grpc.status", "rpc.method", "http.route"}

// Metrics are all metrics. The descriptions of those from the conventions are
// theirs.
var Metrics = ofRoutes([]Metric{
	{
		Name: "http.server.request.duration", Kind: Histogram, Unit: "s", Stability: Stable, Buckets: seconds,
		Meaning: "Duration of HTTP server requests.", Attributes: serverAttributes,
	},
	{
		Name: "http.server.request.body.size", Kind: Histogram, Unit: "By", Stability: Development,
		Meaning: "Size of HTTP server request bodies.", Attributes: serverAttributes,
	},
	{
		Name: "http.server.response.body.size", Kind: Histogram, Unit: "By", Stability: Development,
		Meaning: "Size of HTTP server response bodies.", Attributes: serverAttributes,
	},
	{
		Name: "http.server.active_requests", Kind: UpDownCounter, Unit: "{request}", Stability: Development,
		Meaning: "Number of active HTTP server requests.", Attributes: []string{"http.request.method", "url.scheme"},
	},
	{
		Name: "http.client.request.duration", Kind: Histogram, Unit: "s", Stability: Stable, Buckets: seconds,
		Meaning:    "Duration of HTTP client requests.",
		Attributes: []string{"http.request.method", "server.address", "server.port", "network.protocol.version", "http.response.status_code", "error.type"},
	},
	{
		Name: "http.client.active_requests", Kind: UpDownCounter, Unit: "{request}", Stability: Development,
		Meaning: "Number of active HTTP requests.", Attributes: []string{"http.request.method", "server.address", "server.port"},
	},
	{
		Name: "http.client.open_connections", Kind: UpDownCounter, Unit: "{connection}", Stability: Development,
		Meaning:    "Number of outbound HTTP connections that are currently active or idle on the client.",
		Attributes: []string{"http.connection.state", "server.address", "server.port"},
	},
	{
		Name: "http.client.connection.duration", Kind: Histogram, Unit: "s", Stability: Development,
		Meaning:    "The duration of the successfully established outbound HTTP connections.",
		Attributes: []string{"server.address", "server.port"},
	},

	ours("spangate.forward.duration", Histogram, "s", "From a request's first attempt to its response's header or failure, retries and waits included.", "error.type"),
	ours("spangate.forward.attempts", Histogram, "{attempt}", "Attempts made for one request."),
	ours("spangate.time_to_first_byte", Histogram, "s", "From a request's header to its response's, recorded as soon as that begins.",
		"http.request.method", "url.scheme", "network.protocol.version", "http.response.status_code", "rpc.method", "http.route"),
	ours("spangate.attempt.time_to_first_byte", Histogram, "s", "From the start of an attempt to its response's header, recorded as soon as that has come.",
		"http.request.method", "server.address", "server.port", "network.protocol.version", "http.response.status_code"),
	ours("spangate.balancer.picks", Counter, "{pick}", "Choices of a backend for an attempt.",
		"spangate.balancer.algorithm", "spangate.backend", "spangate.balancer.result"),
	ours("spangate.backend.active_requests", UpDownCounter, "{request}", "Requests in flight at a backend, until their responses' bodies have ended.", "spangate.backend"),
	ours("spangate.backend.status", UpDownCounter, "1", "1 for the state that a backend is in, 0 for the others. Backends of one name are added up. One that is ejected serves while none is ready or unknown.", "spangate.backend", "spangate.backend.state"),
	ours("spangate.backend.state_changes", Counter, "{change}", "Changes of backends' states.", "spangate.backend", "spangate.backend.state", "spangate.backend.reason"),
	ours("spangate.backend.unsolicited_response", Counter, "{connection}", "Connections given up because the backend sent something on them that no request had asked for.", "spangate.backend"),
	ours("spangate.probe.duration", Histogram, "s", "How long a probe took.", "spangate.backend", "spangate.probe.type", "spangate.probe.result", "error.type"),
	ours("spangate.identity.fetch.duration", Histogram, "s", "How long it took to fetch a token for backends, or to fail to. Of several routes that are shown the same one the first has it.", "spangate.identity.type", "error.type"),
	ours("spangate.retry.decisions", Counter, "{decision}", "Decisions about trying a failed request again.", "spangate.retry.decision", "spangate.retry.reason"),
	ours("spangate.retry.budget", Gauge, "{retry}", "Retries that may be made at the moment."),
	ours("spangate.canary.share", Gauge, "1", "Share of the requests that the canary is given, from 0 to 1."),
	ours("spangate.canary.status", UpDownCounter, "1", "1 for the state that a canary is in, 0 for the others.", "spangate.canary.state"),
	ours("spangate.canary.state_changes", Counter, "{change}", "Changes of a canary's state.", "spangate.canary.state", "spangate.canary.reason"),
	ours("spangate.mirror.requests", Counter, "{request}", "Requests that are copied for a mirror, by what became of the copy.", "spangate.mirror.result", "spangate.mirror.reason"),
	ours("spangate.mirror.waiting", UpDownCounter, "{request}", "Copies for a mirror that wait for their turn."),
	ours("spangate.mirror.memory", UpDownCounter, "By", "Memory that copies for a mirror take."),
	ours("spangate.policy.rejections", Counter, "{request}", "Requests that a policy refused.", "spangate.policy.rejection", "spangate.policy.reason"),
	ours("spangate.request.refusals", Counter, "{request}", "Requests that were answered and not handled, as they could not be read.", "error.type"),
	ours("spangate.floods", Counter, "{connection}", "Connections of HTTP/2 that were closed for a flood of frames."),
	ours("spangate.rate_limit.decisions", Counter, "{decision}", "Decisions about whether a request keeps the rate limit.",
		"spangate.rate_limit.policy", "spangate.rate_limit.result", "spangate.rate_limit.store"),
	ours("spangate.rate_limit.keys", UpDownCounter, "{key}", "Keys that the rate limit keeps count of in this instance."),
	ours("spangate.concurrency.active", UpDownCounter, "{request}", "Requests being handled, of those that MAX_CONCURRENT_REQUESTS limits."),
	ours("spangate.concurrency.queued", UpDownCounter, "{request}", "Requests that wait for their turn."),
	ours("spangate.concurrency.wait", Histogram, "s", "How long a request that had to wait for its turn waited, also in vain."),
	{
		Name: "spangate.upgrade.duration", Kind: Histogram, Unit: "s", Stability: Development, Buckets: []float64{0.1, 1, 10, 60, 300, 900, 3600, 14400, 43200, 86400},
		Meaning:    "How long a connection went on in another protocol.",
		Attributes: []string{"spangate.upgrade.protocol", "spangate.upgrade.closed_by", "spangate.upgrade.close_reason"},
	},
	ours("spangate.upgrade.io", Counter, "By", "Bytes that passed on connections that went on in another protocol, while they do.", "spangate.upgrade.protocol", "network.io.direction"),
	ours("spangate.upgrade.active", UpDownCounter, "{connection}", "Connections on which another protocol is spoken.", "spangate.upgrade.protocol"),
	ours("spangate.proxy_protocol.failures", Counter, "{connection}", "Connections from load balancers that were closed for their header of the PROXY protocol.", "error.type"),
	ours("spangate.tls.handshake.failures", Counter, "{handshake}", "Handshakes of TLS that came to nothing.", "spangate.tls.peer", "error.type"),
	ours("spangate.tls.reloads", Counter, "{reload}", "Changes of the files of certificates, keys and authorities.", "spangate.tls.reload.result"),
	ours("spangate.tls.certificate.expires_in", Gauge, "d", "How long a certificate that clients or backends are shown, or that a backend shows, is still valid; less than 0 once it has expired. Of the backends of one name it is the one that ends first.", "spangate.tls.certificate", "spangate.backend"),
	ours("spangate.acme.orders", Counter, "{order}", "Orders of certificates from an authority that have ended.", "spangate.acme.result", "error.type"),
	ours("spangate.telemetry.spans", Counter, "{span}", "Ended spans that are sampled or kept, by what became of them.", "spangate.telemetry.result", "error.type"),

	standard("otel.sdk.span.started", Counter, "{span}", "The number of created spans.", "otel.span.parent.origin", "otel.span.sampling_result"),
	standard("otel.sdk.span.live", UpDownCounter, "{span}", "The number of created spans with `recording=true` for which the end operation has not been called yet.", "otel.span.sampling_result"),
	standard("otel.sdk.log.created", Counter, "{log_record}", "The number of logs submitted to enabled SDK Loggers."),
	sdk("otel.sdk.processor.span.processed", Counter, "{span}", "The number of spans for which the processing has finished, either successful or failed.", "error.type"),
	sdk("otel.sdk.processor.span.queue.size", UpDownCounter, "{span}", "The number of spans in the queue of a given instance of an SDK span processor."),
	sdk("otel.sdk.processor.span.queue.capacity", UpDownCounter, "{span}", "The maximum number of spans the queue of a given instance of an SDK span processor can hold."),
	sdk("otel.sdk.exporter.span.exported", Counter, "{span}", "The number of spans for which the export has finished, either successful or failed.", "error.type", "server.address", "server.port"),
	sdk("otel.sdk.exporter.span.inflight", UpDownCounter, "{span}", "The number of spans which were passed to the exporter, but that have not been exported yet (neither successful, nor failed).", "server.address", "server.port"),
	sdk("otel.sdk.processor.log.processed", Counter, "{log_record}", "The number of log records for which the processing has finished, either successful or failed.", "error.type"),
	sdk("otel.sdk.processor.log.queue.size", UpDownCounter, "{log_record}", "The number of log records in the queue of a given instance of an SDK log processor."),
	sdk("otel.sdk.processor.log.queue.capacity", UpDownCounter, "{log_record}", "The maximum number of log records the queue of a given instance of an SDK Log Record processor can hold."),
	sdk("otel.sdk.exporter.log.exported", Counter, "{log_record}", "The number of log records for which the export has finished, either successful or failed.", "error.type", "server.address", "server.port"),
	sdk("otel.sdk.exporter.log.inflight", UpDownCounter, "{log_record}", "The number of log records which were passed to the exporter, but that have not been exported yet (neither successful, nor failed).", "server.address", "server.port"),
	sdk("otel.sdk.exporter.metric_data_point.exported", Counter, "{data_point}", "The number of metric data points for which the export has finished, either successful or failed.", "error.type", "server.address", "server.port"),
	sdk("otel.sdk.exporter.metric_data_point.inflight", UpDownCounter, "{data_point}", "The number of metric data points which were passed to the exporter, but that have not been exported yet (neither successful, nor failed).", "server.address", "server.port"),
	timed("otel.sdk.exporter.operation.duration", "s", "The duration of exporting a batch of telemetry records.", "error.type", "http.response.status_code", "server.address", "server.port"),
	timed("otel.sdk.metric_reader.collection.duration", "s", "The duration of the collect operation of the metric reader.", "error.type"),

	standard("go.memory.used", UpDownCounter, "By", "Memory used by the Go runtime.", "go.memory.type"),
	standard("go.memory.limit", UpDownCounter, "By", "Go runtime memory limit configured by the user, if a limit exists."),
	standard("go.memory.allocated", Counter, "By", "Memory allocated to the heap by the application."),
	standard("go.memory.allocations", Counter, "{allocation}", "Count of allocations to the heap by the application."),
	standard("go.memory.gc.goal", UpDownCounter, "By", "Heap size target for the end of the GC cycle."),
	standard("go.goroutine.count", UpDownCounter, "{goroutine}", "Count of live goroutines."),
	standard("go.processor.limit", UpDownCounter, "{thread}", "The number of OS threads that can execute user-level Go code simultaneously."),
	standard("go.config.gogc", UpDownCounter, "%", "Heap size target percentage configured by the user, otherwise 100."),
})

// beforeRoutes begin the names of metrics of ours that have to do with no route.
var beforeRoutes = []string{"spangate.request.refusals", "spangate.floods", "spangate.proxy_protocol.", "spangate.tls.handshake.", "spangate.tls.reloads", "spangate.acme.", "spangate.telemetry."}

// ofRoutes adds the route to the attributes of what is recorded for each.
func ofRoutes(metrics []Metric) []Metric {
	for i, m := range metrics {
		has := func(prefix string) bool { return strings.HasPrefix(m.Name, prefix) }
		if (has("http.") || has("spangate.")) && !slices.ContainsFunc(beforeRoutes, has) {
			metrics[i].Attributes = append(slices.Clip(m.Attributes), "spangate.route")
		}
	}
	return metrics
}

// ours returns a metric that is not of the conventions. Durations have the
// buckets that the conventions give for requests.
func ours(name string, kind MetricKind, unit, meaning string, attributes ...string) Metric {
	m := Metric{Name: name, Kind: kind, Unit: unit, Stability: Development, Meaning: meaning, Attributes: attributes}
	switch {
	case kind == Histogram && unit == "s":
		m.Buckets = seconds
	case kind == Histogram:
		m.Buckets = []float64{0, 1, 2, 3, 4, 5, 10}
	}
	return m
}

// sdk returns a metric of the SDK's own components.
func sdk(name string, kind MetricKind, unit, meaning string, attributes ...string) Metric {
	return standard(name, kind, unit, meaning, append(attributes, "otel.component.type", "otel.component.name")...)
}

// timed returns a histogram of how long the SDK's own components took.
func timed(name, unit, meaning string, attributes ...string) Metric {
	m := sdk(name, Histogram, unit, meaning, attributes...)
	m.Buckets = seconds
	return m
}

// standard returns one of the conventions' that is not stable yet.
func standard(name string, kind MetricKind, unit, meaning string, attributes ...string) Metric {
	return Metric{Name: name, Kind: kind, Unit: unit, Stability: Development, Meaning: meaning, Attributes: attributes}
}
