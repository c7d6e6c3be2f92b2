package deploy_test

import (
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// collector is the configuration of an OpenTelemetry Collector, as far as it is
// asked here; what components have beside these options is theirs.
type collector struct {
	Receivers map[string]struct {
		Protocols struct {
			GRPC, HTTP struct{ Endpoint string }
		}
	}
	Processors map[string]map[string]any
	Exporters  map[string]struct {
		Endpoint string
		Auth     struct{ Authenticator string }
		Rest     map[string]any `yaml:",inline"`
	}
	Extensions map[string]struct {
		Endpoint string
	}
	Service struct {
		Extensions []string
		Telemetry  map[string]any
		Pipelines  map[string]struct{ Receivers, Processors, Exporters []string }
	}
}

// components are what the files take from the distributions whose images they
// name, by the names of version 0.161.
var components = []string{
	"debug", "googleclientauth", "health_check", "memory_limiter", "otlp", "otlp_grpc", "otlp_http", "prometheus", "resource_detection",
}

// TestCollector holds that the configuration which Compose mounts is one.
func TestCollector(t *testing.T) {
	collectorOf(t, "collector.yaml", read(t, "collector.yaml"))
}

// collectorOf reads a configuration, whose pipelines have to be of components that
// are defined, and which has to define no others.
func collectorOf(t *testing.T, file, text string) (c collector) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if err := decoder.Decode(new(any)); err != io.EOF {
		t.Errorf("%s: is more than one document (%v)", file, err)
	}
	receivers, processors, exporters := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for name, pipeline := range c.Service.Pipelines {
		if kind, _, _ := strings.Cut(name, "/"); !slices.Contains([]string{"traces", "metrics", "logs"}, kind) {
			t.Errorf("%s: there are no pipelines of %s", file, name)
		}
		if len(pipeline.Receivers) == 0 || len(pipeline.Exporters) == 0 {
			t.Errorf("%s: the pipeline %s leads from nowhere, or nowhere", file, name)
		}
		for used, list := range map[*map[string]bool][]string{&receivers: pipeline.Receivers, &processors: pipeline.Processors, &exporters: pipeline.Exporters} {
			for _, component := range list {
				(*used)[component] = true
			}
		}
	}
	extensions := map[string]bool{}
	for _, name := range c.Service.Extensions {
		extensions[name] = true
	}
	for _, kind := range []struct {
		name          string
		used, defined []string
	}{
		{"receivers", slices.Sorted(maps.Keys(receivers)), slices.Sorted(maps.Keys(c.Receivers))},
		{"processors", slices.Sorted(maps.Keys(processors)), slices.Sorted(maps.Keys(c.Processors))},
		{"exporters", slices.Sorted(maps.Keys(exporters)), slices.Sorted(maps.Keys(c.Exporters))},
		{"extensions", slices.Sorted(maps.Keys(extensions)), slices.Sorted(maps.Keys(c.Extensions))},
	} {
		if !slices.Equal(kind.used, kind.defined) {
			t.Errorf("%s: the %s in use are %q, those defined %q", file, kind.name, kind.used, kind.defined)
		}
		for _, name := range kind.defined {
			if kind, _, _ := strings.Cut(name, "/"); !slices.Contains(components, kind) {
				t.Errorf("%s: no component is called %s", file, name)
			}
		}
	}
	for name, exporter := range c.Exporters {
		if by := exporter.Auth.Authenticator; by != "" && !extensions[by] {
			t.Errorf("%s: %s has its credentials of %s, which there is not", file, name, by)
		}
	}
	return c
}
