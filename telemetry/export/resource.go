package export

import (
	"cmp"
	"context"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

const name = "spangate"

// Process is what only the program knows of itself.
type Process struct {
	Version  string   // for service.version; empty: the one that the build recorded
	Platform string   // where it runs, by a name of PLATFORM that is not auto
	Environ  []string // what is set there, NAME=value: it says more
}

// resource says who sends the telemetry. It asks nobody over the network.
func (c Config) resource(ctx context.Context, process Process) (*resource.Resource, error) {
	version := cmp.Or(process.Version, builtVersion())
	attrs := []attribute.KeyValue{
		semconv.ServiceName(name),
		// Two instances must never be one: their counters would be one series
		// that jumps.
		semconv.ServiceInstanceID(uuid.NewString()),
		semconv.ServiceVersion(version),
		semconv.TelemetryDistroName(name),
		semconv.TelemetryDistroVersion(version),
		semconv.ProcessPID(os.Getpid()),
		semconv.ProcessRuntimeName("go"),
		semconv.ProcessRuntimeVersion(runtime.Version()),
		semconv.OSTypeKey.String(runtime.GOOS),
		semconv.HostArchKey.String(runtime.GOARCH),
	}
	if host, err := os.Hostname(); err == nil {
		attrs = append(attrs, semconv.HostName(host))
	}
	attrs = append(attrs, platformAttributes(process.Platform, process.Environ)...)
	for key, value := range c.Resource {
		attrs = append(attrs, attribute.String(key, value))
	}
	if c.ServiceName != "" {
		attrs = append(attrs, semconv.ServiceName(c.ServiceName))
	}
	// Of two attributes with one key the later one counts.
	return resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithSchemaURL(semconv.SchemaURL),
		resource.WithAttributes(attrs...))
}

func builtVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
