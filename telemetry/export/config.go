package export

// Config holds the OTEL_* variables of the OpenTelemetry specification that
// apply to this program. What the specification leaves to each program is
// listed with its default in the tags.
//
// A zero field means its default, except that empty exporters and propagators
// mean none; so the zero value records nothing but log lines' trace identifiers.
type Config struct {
	Disabled flag     `env:"OTEL_SDK_DISABLED" envDefault:"false" doc:"true records nothing and starts nothing; trace context of callers that are believed passes as it is"`
	LogLevel logLevel `env:"OTEL_LOG_LEVEL" envDefault:"warn" doc:"least level of what the OpenTelemetry SDK says of itself: none, error, warn, info or debug"`

	ServiceName string     `env:"OTEL_SERVICE_NAME" doc:"service.name; else the one in OTEL_RESOURCE_ATTRIBUTES, else spangate"`
	Resource    attributes `env:"OTEL_RESOURCE_ATTRIBUTES" zero:"none" doc:"comma list of key=value, percent-encoded, that says who sends"`

	Propagators propagators `env:"OTEL_PROPAGATORS" envDefault:"tracecontext,baggage" list:"true" doc:"comma list of tracecontext, baggage, b3, b3multi, jaeger, xray, ottrace, or none, with which what believed callers send passes as it is"`

	Sampler         sampler         `env:"OTEL_TRACES_SAMPLER" envDefault:"parentbased_always_on" doc:"always_on, always_off, traceidratio, rate_limited, or one of them after parentbased_"`
	SamplerArg      string          `env:"OTEL_TRACES_SAMPLER_ARG" needs:"OTEL_TRACES_SAMPLER*=traceidratio|OTEL_TRACES_SAMPLER*=rate_limited" zero:"none" doc:"share of traces that traceidratio samples, from 0 to 1, default 1; traces per second that rate_limited samples, default 10"`
	UnsampledParent unsampledParent `env:"TRACE_UNSAMPLED_PARENT" envDefault:"auto" needs:"OTEL_TRACES_SAMPLER*=parentbased" auto:"follow" doc:"what a parentbased_ sampler does when a caller that is believed does not sample: follow, or resample, which decides as if the trace began here; auto is the platform's, else follow"`
	Keep            keep            `env:"TRACE_KEEP" envDefault:"error,retry,slow:1s" list:"true" needs:"OTEL_TRACES_SAMPLER!=always_off" doc:"requests whose spans are exported though the sampler said no: comma list of error, retry and slow:DURATION (to the first byte), or none, which makes requests that are not sampled cheaper; none as well with OTEL_TRACES_SAMPLER=always_off"`

	TracesExporter  Exporters `env:"OTEL_TRACES_EXPORTER" envDefault:"otlp" list:"true" doc:"comma list of otlp, console (on standard output, to be read by people: a tree for each trace) and console_json (there, by programs: a line of OTLP's JSON for each export), or none, with which trace context of callers that are believed passes as it is"`
	MetricsExporter Exporters `env:"OTEL_METRICS_EXPORTER" envDefault:"otlp" list:"true" doc:"comma list of otlp, console (a table), console_json and prometheus, which answers scrapes (see OTEL_EXPORTER_PROMETHEUS_PORT), or none"`
	LogsExporter    Exporters `env:"OTEL_LOGS_EXPORTER" envDefault:"otlp" list:"true" doc:"comma list of otlp, console (a line for each record, beside that of the program's own log) and console_json, or none"`

	OTLP        OTLP `envPrefix:"OTEL_EXPORTER_OTLP_"`
	OTLPTraces  OTLP `envPrefix:"OTEL_EXPORTER_OTLP_TRACES_" alike:"each of the variables OTEL_EXPORTER_OTLP_…, for one signal, for which it goes before the general one"`
	OTLPMetrics OTLP `envPrefix:"OTEL_EXPORTER_OTLP_METRICS_" alike:"each of the variables OTEL_EXPORTER_OTLP_…, for one signal, for which it goes before the general one"`
	OTLPLogs    OTLP `envPrefix:"OTEL_EXPORTER_OTLP_LOGS_" alike:"each of the variables OTEL_EXPORTER_OTLP_…, for one signal, for which it goes before the general one"`

	SpanBatch   Batch `envPrefix:"OTEL_BSP_"`
	RecordBatch Batch `envPrefix:"OTEL_BLRP_"`
	Schedule    Schedule

	MetricInterval milliseconds         `env:"OTEL_METRIC_EXPORT_INTERVAL" doc:"milliseconds from one export of metrics to the next; default 60000, to the console 10000"`
	MetricTimeout  milliseconds         `env:"OTEL_METRIC_EXPORT_TIMEOUT" envDefault:"30000" doc:"longest milliseconds that an export of metrics may take, repetitions included"`
	Temporality    temporality          `env:"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE" envDefault:"cumulative" doc:"cumulative, delta or lowmemory"`
	Histograms     histogramAggregation `env:"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION" envDefault:"explicit_bucket_histogram" doc:"explicit_bucket_histogram or base2_exponential_bucket_histogram"`
	Exemplars      exemplarFilter       `env:"OTEL_METRICS_EXEMPLAR_FILTER" envDefault:"trace_based" doc:"measurements kept as examples: trace_based, always_on or always_off"`

	AttributeLimits AttributeLimits `envPrefix:"OTEL_ATTRIBUTE_"`
	RecordLimits    AttributeLimits `envPrefix:"OTEL_LOGRECORD_ATTRIBUTE_"`
	SpanLimits      SpanLimits      `envPrefix:"OTEL_"`
}

// OTLP says how to reach a collector. The variables of one signal go before
// the general ones, each by itself; the defaults apply when neither is set.
type OTLP struct {
	Endpoint          string       `env:"ENDPOINT" zero:"none" doc:"URL of the collector; default http://localhost:4318, with grpc http://localhost:4317"`
	Protocol          protocol     `env:"PROTOCOL" zero:"http/protobuf" doc:"http/protobuf or grpc; default http/protobuf"`
	Headers           headers      `env:"HEADERS" secret:"true" zero:"none" doc:"comma list of key=value, percent-encoded, sent with every export"`
	Timeout           milliseconds `env:"TIMEOUT" zero:"10000" doc:"longest milliseconds that one attempt to export may take; default 10000"`
	Compression       compression  `env:"COMPRESSION" zero:"none" doc:"none or gzip; default none"`
	Certificate       string       `env:"CERTIFICATE" zero:"the system's" doc:"PEM file of the authorities that the collector's certificate is checked against; default the system's"`
	ClientCertificate string       `env:"CLIENT_CERTIFICATE" zero:"none" doc:"PEM file of the certificate shown to the collector"`
	ClientKey         string       `env:"CLIENT_KEY" zero:"none" doc:"PEM file of its private key"`
	Insecure          flag         `env:"INSECURE" zero:"false" doc:"true sends in the clear to a grpc endpoint that is written without a scheme"`
}

// Batch says how spans or log records are gathered before they are exported.
type Batch struct {
	Delay     milliseconds `env:"SCHEDULE_DELAY" doc:"longest milliseconds that a span (default 5000) or log record (default 1000) waits for its batch to fill"`
	Timeout   milliseconds `env:"EXPORT_TIMEOUT" doc:"longest milliseconds that the export of one batch may take, repetitions included; default 30000"`
	QueueSize limit        `env:"MAX_QUEUE_SIZE" envDefault:"2048" doc:"how many may wait; what comes on top is dropped and counted"`
	Size      limit        `env:"MAX_EXPORT_BATCH_SIZE" doc:"how many are exported at once; default 512, or the whole queue when that is less; 1 where all go to the console"`
}

// AttributeLimits bounds the attributes of one span or log record.
type AttributeLimits struct {
	ValueLength limit `env:"VALUE_LENGTH_LIMIT" doc:"longest text of an attribute, in characters; default 4096"`
	Count       limit `env:"COUNT_LIMIT" doc:"most attributes; default 128"`
}

// SpanLimits bounds what one span holds. Its own attribute limits go before
// the general ones.
type SpanLimits struct {
	AttributeLimits `envPrefix:"SPAN_ATTRIBUTE_"`

	Events          limit `env:"SPAN_EVENT_COUNT_LIMIT" envDefault:"128" doc:"most events of a span"`
	Links           limit `env:"SPAN_LINK_COUNT_LIMIT" envDefault:"128" doc:"most links of a span"`
	EventAttributes limit `env:"EVENT_ATTRIBUTE_COUNT_LIMIT" envDefault:"128" doc:"most attributes of a span's event"`
	LinkAttributes  limit `env:"LINK_ATTRIBUTE_COUNT_LIMIT" envDefault:"128" doc:"most attributes of a span's link"`
}
