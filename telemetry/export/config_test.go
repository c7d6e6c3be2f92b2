package export_test

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
	"spangate/telemetry/export"
)

// parse reads a configuration as package main does.
func parse(environ map[string]string) (export.Config, error) {
	var cfg export.Config
	err := env.ParseWithOptions(&cfg, env.Options{Environment: environ})
	return cfg, err
}

func mustParse(t testing.TB, environ map[string]string) export.Config {
	t.Helper()
	cfg, err := parse(environ)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// with adds pairs of name and value to an environment.
func with(environ map[string]string, pairs ...string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, environ)
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

func TestMalformedVariables(t *testing.T) {
	notPEM := filepath.Join(t.TempDir(), "not.pem")
	if err := os.WriteFile(notPEM, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	const secure = "https://collector:4318"

	tests := []struct {
		name string
		env  []string
		want []string // parts of the error
	}{
		{"disabled", []string{"OTEL_SDK_DISABLED", "1"}, []string{"Disabled", "must be true or false"}},
		{"log level", []string{"OTEL_LOG_LEVEL", "loud"}, []string{"LogLevel", "must be none, error, warn, info or debug"}},
		{"resource", []string{"OTEL_RESOURCE_ATTRIBUTES", "region"}, []string{"Resource", `"region" must be key=value`}},
		{"resource escape", []string{"OTEL_RESOURCE_ATTRIBUTES", "region=%zz"}, []string{"Resource", `value of region: a % that is meant as such is written %25`}},
		{"resource escape of a key", []string{"OTEL_RESOURCE_ATTRIBUTES", "regi%on=a,a%FF=b"}, []string{"Resource", `key regi%on: a % that is meant as such is written %25`, "key a%FF: must be UTF-8"}},
		{"propagators", []string{"OTEL_PROPAGATORS", "tracecontext,smoke"}, []string{"Propagators", `"smoke" must be tracecontext, baggage`}},
		{"no propagators and one", []string{"OTEL_PROPAGATORS", "none,b3"}, []string{"Propagators", "none goes with no other"}},
		{"sampler", []string{"OTEL_TRACES_SAMPLER", "dice"}, []string{"Sampler", "must be always_on, always_off, traceidratio"}},
		{"sampler with a service", []string{"OTEL_TRACES_SAMPLER", "parentbased_jaeger_remote"}, []string{"Sampler", "jaeger_remote is not supported"}},
		{"exporter", []string{"OTEL_TRACES_EXPORTER", "otlp,zipkin"}, []string{"TracesExporter", `"zipkin" must be otlp, console, console_json, prometheus or none`}},
		{"none and more", []string{"OTEL_METRICS_EXPORTER", "none,otlp"}, []string{"MetricsExporter", "none must stand alone"}},
		{"protocol", []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}, []string{"Protocol", "must be http/protobuf or grpc"}},
		{"compression", []string{"OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "zstd"}, []string{"Compression", "must be none or gzip"}},
		{"insecure", []string{"OTEL_EXPORTER_OTLP_INSECURE", "yes"}, []string{"Insecure", "must be true or false"}},
		{"timeout with unit", []string{"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"}, []string{"Timeout", "must be a whole number of milliseconds above 0"}},
		{"timeout of nothing", []string{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0"}, []string{"Timeout", "must be a whole number of milliseconds above 0"}},
		{"delay", []string{"OTEL_BSP_SCHEDULE_DELAY", "-1"}, []string{"Delay", "must be a whole number of milliseconds above 0"}},
		{"interval", []string{"OTEL_METRIC_EXPORT_INTERVAL", "9223372036854775807"}, []string{"MetricInterval", "must be a whole number of milliseconds above 0"}},
		{"temporality", []string{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "sometimes"}, []string{"Temporality", "must be cumulative, delta or lowmemory"}},
		{"histograms", []string{"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "bars"}, []string{"Histograms", "must be explicit_bucket_histogram or base2_exponential_bucket_histogram"}},
		{"exemplars", []string{"OTEL_METRICS_EXEMPLAR_FILTER", "some"}, []string{"Exemplars", "must be trace_based, always_on or always_off"}},
		{"limit", []string{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many"}, []string{"Count", "must be a whole number"}},
		{"headers", []string{"OTEL_EXPORTER_OTLP_HEADERS", "authorization"}, []string{"Headers", "must be a comma list of key=value"}},
		{"header name", []string{"OTEL_EXPORTER_OTLP_HEADERS", "a b=1"}, []string{"Headers", "holds a name that is not a header's"}},
		{"header value", []string{"OTEL_EXPORTER_OTLP_HEADERS", "a=x%0d%0ay"}, []string{"Headers", "holds a value for a that cannot be sent in a header"}},

		{"ratio", []string{"OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "2"}, []string{`OTEL_TRACES_SAMPLER_ARG="2": must be a number from 0 to 1`}},
		{"ratio without a sampler for it", []string{"OTEL_TRACES_SAMPLER_ARG", "7"}, []string{`OTEL_TRACES_SAMPLER_ARG="7": must be a number from 0 to 1`}},
		{"ratio without traces", []string{"OTEL_TRACES_EXPORTER", "none", "OTEL_TRACES_SAMPLER_ARG", "7"}, []string{`OTEL_TRACES_SAMPLER_ARG="7": must be a number from 0 to 1`}},
		{"ratio not a number", []string{"OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG", "NaN"}, []string{`OTEL_TRACES_SAMPLER_ARG="NaN": must be a number from 0 to 1`}},
		{"endpoint", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"}, []string{`OTEL_EXPORTER_OTLP_ENDPOINT="collector:4318": needs http:// or https:// before it: http://collector:4318`}},
		{"endpoint of one signal", []string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "ftp://collector"}, []string{`OTEL_EXPORTER_OTLP_METRICS_ENDPOINT="ftp://collector": must be a URL`}},
		{"endpoint that is no URL", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1"}, []string{`OTEL_EXPORTER_OTLP_ENDPOINT="http://[::1": must be a URL such as http://collector:4318 or https://collector:4318`}},
		{"endpoint with port", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:99999"}, []string{`OTEL_EXPORTER_OTLP_ENDPOINT="http://collector:99999": port "99999" must be 1 to 65535`}},
		{"endpoint of grpc with port", []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:0"}, []string{`OTEL_EXPORTER_OTLP_ENDPOINT="collector:0": port "0" must be 1 to 65535`}},
		{"endpoint with query", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector?key=1"}, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=", "must have no query"}},
		{"endpoint of grpc", []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT", "collector"}, []string{`OTEL_EXPORTER_OTLP_ENDPOINT="collector": must be host:port or a URL`}},
		{"path with grpc", []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector/v1"}, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=", "must have no path"}},
		{"certificate not there", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", secure, "OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"}, []string{`OTEL_EXPORTER_OTLP_CERTIFICATE="/nowhere/ca.pem": no such file`}},
		{"certificate without PEM", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", secure, "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", notPEM}, []string{"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE=", "holds no PEM certificate"}},
		{"certificate in the clear", []string{"OTEL_EXPORTER_OTLP_CERTIFICATE", notPEM}, []string{"OTEL_EXPORTER_OTLP_CERTIFICATE=", "the endpoint does not use TLS"}},
		{"certificate without key", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", secure, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", notPEM}, []string{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: needs OTEL_EXPORTER_OTLP_CLIENT_KEY"}},
		{"key without certificate", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", secure, "OTEL_EXPORTER_OTLP_CLIENT_KEY", notPEM}, []string{"OTEL_EXPORTER_OTLP_CLIENT_KEY: needs OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"}},
		{"key not there", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", secure, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", notPEM, "OTEL_EXPORTER_OTLP_CLIENT_KEY", "/nowhere/key.pem"}, []string{`OTEL_EXPORTER_OTLP_CLIENT_KEY="/nowhere/key.pem": no such file`}},
		{"key that does not fit", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", secure, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", notPEM, "OTEL_EXPORTER_OTLP_CLIENT_KEY", notPEM}, []string{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, OTEL_EXPORTER_OTLP_CLIENT_KEY: "}},
		{"queue", []string{"OTEL_BSP_MAX_QUEUE_SIZE", "0"}, []string{`OTEL_BSP_MAX_QUEUE_SIZE="0": must be at least 1`}},
		{"batch", []string{"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "0"}, []string{`OTEL_BLRP_MAX_EXPORT_BATCH_SIZE="0": must be at least 1`}},
		{"batch above queue", []string{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"}, []string{`OTEL_BSP_MAX_EXPORT_BATCH_SIZE="4096": must not be above OTEL_BSP_MAX_QUEUE_SIZE, which is 2048`}},
		{"all at once", []string{
			"OTEL_BSP_MAX_QUEUE_SIZE", "0", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0",
			"OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem",
			"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/nowhere/client.pem", "OTEL_EXPORTER_OTLP_CLIENT_KEY", "/nowhere/key.pem",
			"OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "half",
			"OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere",
		}, []string{
			"OTEL_BSP_MAX_QUEUE_SIZE=", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=", "OTEL_TRACES_SAMPLER_ARG=", "OTEL_EXPORTER_OTLP_ENDPOINT=",
			"OTEL_EXPORTER_OTLP_CERTIFICATE=", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=", "OTEL_EXPORTER_OTLP_CLIENT_KEY=",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := parse(with(nil, tt.env...))
			if err == nil {
				err = config.Named(&cfg, cfg.Check())
				if _, nerr := export.New(cfg, export.Process{}, slog.New(slog.DiscardHandler), io.Discard); fmt.Sprint(nerr) != fmt.Sprint(err) {
					t.Errorf("New says %v, Check %v", nerr, err)
				}
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q\nlacks %q", err, want)
				}
			}
			if lines := strings.Split(err.Error(), "\n"); len(lines) != len(tt.want) && tt.name == "all at once" {
				t.Errorf("faults told more than once:\n%v", err)
			}
		})
	}
}

func TestNothingToComplainOf(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  export.Config
	}{
		{"zero value", export.Config{}},
		{"a queue that is not set is as long as a batch", export.Config{SpanBatch: export.Batch{Size: "4096"}}},
		{"disabled", export.Config{Disabled: "true", SamplerArg: "7"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.cfg.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	const secret = "hunter2"
	for _, environ := range []map[string]string{
		{"OTEL_EXPORTER_OTLP_HEADERS": secret},
		{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=" + secret + "%zz"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:" + secret + "@collector:4318"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:" + secret + "@%zz"},
	} {
		cfg, err := parse(environ)
		if err == nil {
			_, err = export.New(cfg, export.Process{}, slog.New(slog.DiscardHandler), io.Discard)
		}
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v: error %v", environ, err)
		}
	}

	cfg := mustParse(t, map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=" + secret})
	var line strings.Builder
	slog.New(slog.NewTextHandler(&line, nil)).Info("config", "headers", cfg.OTLP.Headers)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", cfg.OTLP, cfg.OTLP, cfg.OTLP), line.String()} {
		if strings.Contains(text, secret) || !strings.Contains(text, "authorization=***") {
			t.Errorf("shown as %s", text)
		}
	}
}

func TestTextRoundTrip(t *testing.T) {
	const headers = "api-key=a%2Cb%20c%3D,x%2Dy=1,x-team=blue"
	const resource = "a%20%25=1%2B1,k%2C%3D=x%20y"
	cfg := mustParse(t, map[string]string{
		"OTEL_EXPORTER_OTLP_HEADERS": headers + ",",
		"OTEL_RESOURCE_ATTRIBUTES":   "k%2C%3D=x y, a%20%25 = 2, a %25=1+1",
		"OTEL_TRACES_EXPORTER":       "otlp, console,otlp",
		"OTEL_PROPAGATORS":           "b3,tracecontext,b3",
		"OTEL_EXPORTER_OTLP_TIMEOUT": "250",
	})
	if diff := cmp.Diff(map[string]string{"api-key": "a,b c=", "x%2Dy": "1", "x-team": "blue"}, map[string]string(cfg.OTLP.Headers)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"k,=": "x y", "a %": "1+1"}, map[string]string(cfg.Resource)); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		value interface{ MarshalText() ([]byte, error) }
		want  string
	}{
		{cfg.OTLP.Headers, headers},
		{cfg.Resource, resource},
		{cfg.TracesExporter, "otlp,console"},
		{export.Exporters(nil), "none"},
		{cfg.Propagators, "b3,tracecontext"},
		{cfg.OTLP.Timeout, "250"},
		{export.OTLP{}.Timeout, ""},
		{cfg.Sampler, "parentbased_always_on"},
	} {
		if got, err := tt.value.MarshalText(); string(got) != tt.want || err != nil {
			t.Errorf("%T: %q, %v; want %q", tt.value, got, err, tt.want)
		}
	}
}
