package export

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestResolve(t *testing.T) {
	type where struct {
		Endpoint string
		TLS      bool
		Timeout  time.Duration
		GZip     bool
		Headers  headers
	}
	const (
		second = time.Second
		export = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
	)
	for _, tt := range []struct {
		name         string
		general, own OTLP
		want         where
	}{
		{"default", OTLP{}, OTLP{}, where{Endpoint: "http://localhost:4318/v1/traces", Timeout: 10 * second}},
		{"default of grpc", OTLP{Protocol: "grpc"}, OTLP{}, where{Endpoint: "http://localhost:4317" + export, Timeout: 10 * second}},
		{"general", OTLP{Endpoint: "http://c:1"}, OTLP{}, where{Endpoint: "http://c:1/v1/traces", Timeout: 10 * second}},
		{"general with slash", OTLP{Endpoint: "http://c:1/"}, OTLP{}, where{Endpoint: "http://c:1/v1/traces", Timeout: 10 * second}},
		{"general with path", OTLP{Endpoint: "https://c/otlp"}, OTLP{}, where{Endpoint: "https://c/otlp/v1/traces", TLS: true, Timeout: 10 * second}},
		{"own as it is", OTLP{Endpoint: "http://c:1"}, OTLP{Endpoint: "http://d/in"}, where{Endpoint: "http://d/in", Timeout: 10 * second}},
		{"own without path", OTLP{}, OTLP{Endpoint: "http://d:2"}, where{Endpoint: "http://d:2/", Timeout: 10 * second}},
		{"own before general",
			OTLP{Endpoint: "http://c:1", Protocol: "grpc", Timeout: 5000, Compression: "gzip", Headers: headers{"a": "1", "b": "2"}},
			OTLP{Protocol: "http/protobuf", Timeout: 1000, Compression: "none", Headers: headers{"a": "3"}},
			where{Endpoint: "http://c:1/v1/traces", Timeout: second, Headers: headers{"a": "3"}}},
		{"general where own is silent",
			OTLP{Timeout: 5000, Compression: "gzip", Headers: headers{"a": "1"}}, OTLP{Endpoint: "http://d:2/x"},
			where{Endpoint: "http://d:2/x", Timeout: 5 * second, GZip: true, Headers: headers{"a": "1"}}},
		{"grpc in the clear", OTLP{Protocol: "grpc", Endpoint: "http://c:1/"}, OTLP{}, where{Endpoint: "http://c:1" + export, Timeout: 10 * second}},
		{"grpc with TLS", OTLP{Protocol: "grpc", Endpoint: "https://c"}, OTLP{}, where{Endpoint: "https://c" + export, TLS: true, Timeout: 10 * second}},
		{"grpc without scheme", OTLP{Protocol: "grpc", Endpoint: "c:4317"}, OTLP{}, where{Endpoint: "https://c:4317" + export, TLS: true, Timeout: 10 * second}},
		{"grpc without scheme, insecure", OTLP{Protocol: "grpc", Endpoint: "c:4317", Insecure: "true"}, OTLP{}, where{Endpoint: "http://c:4317" + export, Timeout: 10 * second}},
		{"grpc own not insecure", OTLP{Protocol: "grpc", Endpoint: "c:4317", Insecure: "true"}, OTLP{Insecure: "false"}, where{Endpoint: "https://c:4317" + export, TLS: true, Timeout: 10 * second}},
		{"grpc scheme goes before insecure", OTLP{Protocol: "grpc", Endpoint: "https://[::1]:4317", Insecure: "true"}, OTLP{}, where{Endpoint: "https://[::1]:4317" + export, TLS: true, Timeout: 10 * second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var f faults
			got := resolve(&f, "traces", &tt.general, &tt.own)
			if err := f.err(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, where{got.url, got.tls != nil, got.timeout, got.gzip, got.headers}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
