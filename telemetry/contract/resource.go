package contract

// Resource are the attributes that say who sends, beside those that
// OTEL_RESOURCE_ATTRIBUTES adds.
var Resource = []Attribute{
	{Name: "service.name", Type: String, Stability: Stable, Meaning: "spangate, unless OTEL_SERVICE_NAME says otherwise"},
	{Name: "service.instance.id", Type: String, Stability: Stable, Meaning: "another one at each start"},
	{Name: "service.version", Type: String, Stability: Stable, Meaning: "the program's version"},
	{Name: "telemetry.distro.name", Type: String, Stability: Stable, Meaning: "spangate"},
	{Name: "telemetry.distro.version", Type: String, Stability: Stable, Meaning: "the program's version"},
	{Name: "telemetry.sdk.name", Type: String, Stability: Stable, Meaning: "opentelemetry"},
	{Name: "telemetry.sdk.language", Type: String, Stability: Stable, Meaning: "go"},
	{Name: "telemetry.sdk.version", Type: String, Stability: Stable, Meaning: "the SDK's version"},
	{Name: "process.pid", Type: Int, Stability: ReleaseCandidate, Meaning: "id of the process"},
	{Name: "process.runtime.name", Type: String, Stability: ReleaseCandidate, Meaning: "go"},
	{Name: "process.runtime.version", Type: String, Stability: ReleaseCandidate, Meaning: "Go's version"},
	{Name: "os.type", Type: String, Stability: Development, Meaning: "the operating system, such as linux"},
	{Name: "host.arch", Type: String, Stability: Development, Meaning: "the processor's architecture, such as amd64"},
	{Name: "host.name", Type: String, Stability: Development, Meaning: "the host's name"},
}
