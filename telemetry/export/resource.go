package export

import (
	"context"
	"os"
	"runtime"
	"strings"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/handler/version"
)

const name = "spangate"

// Process is what only the program knows of itself.
type Process struct {
	Platform string   // where it runs, by a name of PLATFORM that is not auto
	Environ  []string // what is set there, NAME=value: it says more
	Coloured bool     // what reads the standard output shows colours
	Routes   int      // how many there are, each with series of its own; 0: one that has no name
}

// resource says who sends the telemetry. It asks nobody over the network.
func (c Config) resource(ctx context.Context, process Process) (*resource.Resource, error) {
	attrs := []attribute.KeyValue{
		// Two instances must never be one: their counters would be one series
		// that jumps.
		semconv.ServiceInstanceID(uuid.NewString()),
		semconv.ServiceVersion(version.Short()),
		semconv.TelemetryDistroName(name),
		semconv.TelemetryDistroVersion(version.Short()),
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
	// Of two attributes with one key the later one counts.
	attrs = append(attrs, semconv.ServiceName(c.serviceName()))
	return resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithSchemaURL(semconv.SchemaURL),
		resource.WithAttributes(attrs...))
}

// serviceName returns the name that goes before the others. Blanks are none: by them
// nobody would find the service.
func (c Config) serviceName() string {
	for _, given := range []string{c.ServiceName, c.Resource["service.name"]} {
		if strings.TrimSpace(given) != "" {
			return given
		}
	}
	return name
}
