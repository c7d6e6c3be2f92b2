package export_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"spangate/telemetry/otlptest"
)

// picky gives one prepared answer after the other.
type picky struct {
	coltraces.UnimplementedTraceServiceServer
	answers chan error
}

func (p picky) Export(context.Context, *coltraces.ExportTraceServiceRequest) (*coltraces.ExportTraceServiceResponse, error) {
	err := <-p.answers
	if partial, ok := err.(rejects); ok {
		return &coltraces.ExportTraceServiceResponse{PartialSuccess: &coltraces.ExportTracePartialSuccess{
			RejectedSpans: int64(partial), ErrorMessage: "too old",
		}}, nil
	}
	return &coltraces.ExportTraceServiceResponse{}, err
}

// rejects is how many spans a collector refuses of those that it takes.
type rejects int

func (rejects) Error() string { return "rejects" }

func grpcError(t *testing.T, code codes.Code, message string, retry time.Duration) error {
	t.Helper()
	s := status.New(code, message)
	if retry > 0 {
		var err error
		if s, err = s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retry)}); err != nil {
			t.Fatal(err)
		}
	}
	return s.Err()
}

func TestAnswersOfAGRPCCollector(t *testing.T) {
	all, none := map[string]float64{"exported": 3}, map[string]float64{"exported": 0, "failed export_failed": 3}
	for _, tt := range []struct {
		name    string
		answers []error
		want    map[string]float64
		log     string
	}{
		{"takes all", []error{nil}, all, ""},
		{"takes some", []error{rejects(2)}, map[string]float64{"exported": 1, "failed rejected": 2}, "too old"},
		{"is down, then takes all", []error{grpcError(t, codes.Unavailable, "später", 0), nil}, all, "status 14 UNAVAILABLE"},
		{"is full for good", []error{grpcError(t, codes.ResourceExhausted, "too much", 0)}, none, "too much"},
		{"is full for now", []error{grpcError(t, codes.ResourceExhausted, "too much", time.Millisecond), nil}, all, "too much"},
		{"refuses for good", []error{grpcError(t, codes.Unauthenticated, "wer? 100%", 0)}, none, "wer? 100%"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := picky{answers: make(chan error, len(tt.answers))}
			for _, a := range tt.answers {
				p.answers <- a
			}
			server := grpc.NewServer()
			coltraces.RegisterTraceServiceServer(server, p)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go server.Serve(ln)
			defer server.Stop()

			collector := otlptest.NewServer(t)
			log := newLogged()
			pipelines := start(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT":        collector.URL(),
				"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ln.Addr().String(),
				"OTEL_EXPORTER_OTLP_TRACES_INSECURE": "true",
				"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
				"OTEL_LOGS_EXPORTER":                 "none",
			}, log.logger(), io.Discard)
			record(t, pipelines, 3)
			shutdown(t, pipelines)
			if diff := cmp.Diff(tt.want, spanCounts(collector.Metrics())); diff != "" {
				t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
			}
			if !strings.Contains(log.String(), tt.log) {
				t.Errorf("log lacks %q:\n%s", tt.log, log)
			}
			if len(p.answers) > 0 {
				t.Errorf("%d answers were not asked for", len(p.answers))
			}
		})
	}
}

func TestServersThatDoNotSpeakGRPC(t *testing.T) {
	for _, tt := range []struct {
		name      string
		http2     bool
		answer    http.HandlerFunc
		wantInLog string
	}{
		{"HTTP/1.1 alone", false, func(http.ResponseWriter, *http.Request) {}, "telemetry is not delivered"},
		{"a web page", true, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, "it has no grpc-status"},
		{"not there", true, http.NotFound, "404"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(tt.answer)
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetHTTP1(!tt.http2)
			server.Config.Protocols.SetUnencryptedHTTP2(tt.http2)
			server.Start()
			defer server.Close()
			log := newLogged()
			pipelines := start(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL,
				"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
				"OTEL_METRICS_EXPORTER":       "none",
				"OTEL_LOGS_EXPORTER":          "none",
			}, log.logger(), io.Discard)
			record(t, pipelines, 3)
			shutdown(t, pipelines)
			for _, want := range []string{tt.wantInLog, "spans_exported=0 spans_failed=3"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("log lacks %q:\n%s", want, log)
				}
			}
		})
	}
}

func TestGRPCOverTLS(t *testing.T) {
	p := picky{answers: make(chan error, 1)}
	p.answers <- nil
	service := grpc.NewServer()
	coltraces.RegisterTraceServiceServer(service, p)
	server := httptest.NewUnstartedServer(service)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()

	log := newLogged()
	pipelines := start(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":    server.Listener.Addr().String(), // TLS unless told otherwise
		"OTEL_EXPORTER_OTLP_PROTOCOL":    "grpc",
		"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
		"OTEL_EXPORTER_OTLP_CERTIFICATE": writePEM(t, "CERTIFICATE", server.Certificate().Raw),
		"OTEL_METRICS_EXPORTER":          "none",
		"OTEL_LOGS_EXPORTER":             "none",
	}, log.logger(), io.Discard)
	record(t, pipelines, 3)
	shutdown(t, pipelines)
	if len(p.answers) > 0 || log.String() != "" {
		t.Errorf("the call did not succeed:\n%s", log)
	}
}
