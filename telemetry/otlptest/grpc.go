package otlptest

import (
	"context"
	"net/http"
	"strings"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

func (s *Server) register(server *grpc.Server) {
	coltraces.RegisterTraceServiceServer(server, traceService{s: s})
	colmetrics.RegisterMetricsServiceServer(server, metricsService{s: s})
	collogs.RegisterLogsServiceServer(server, logsService{s: s})
}

type traceService struct {
	coltraces.UnimplementedTraceServiceServer
	s *Server
}

func (t traceService) Export(_ context.Context, r *coltraces.ExportTraceServiceRequest) (*coltraces.ExportTraceServiceResponse, error) {
	t.s.add(func() { t.s.addTraces(r) })
	return &coltraces.ExportTraceServiceResponse{}, nil
}

type metricsService struct {
	colmetrics.UnimplementedMetricsServiceServer
	s *Server
}

func (m metricsService) Export(_ context.Context, r *colmetrics.ExportMetricsServiceRequest) (*colmetrics.ExportMetricsServiceResponse, error) {
	m.s.add(func() { m.s.addMetrics(r) })
	return &colmetrics.ExportMetricsServiceResponse{}, nil
}

type logsService struct {
	collogs.UnimplementedLogsServiceServer
	s *Server
}

func (l logsService) Export(_ context.Context, r *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	l.s.add(func() { l.s.addLogs(r) })
	return &collogs.ExportLogsServiceResponse{}, nil
}

// grpcRequests keeps the headers of calls: services are not told how a message
// was compressed.
type grpcRequests struct{ s *Server }

func (g grpcRequests) HandleRPC(_ context.Context, rs stats.RPCStats) {
	in, ok := rs.(*stats.InHeader)
	if !ok {
		return
	}
	header := http.Header{}
	for key, values := range in.Header {
		for _, value := range values {
			header.Add(key, value)
		}
	}
	// /opentelemetry.proto.collector.trace.v1.TraceService/Export
	signal := "traces"
	for _, other := range []string{"metrics", "logs"} {
		if strings.Contains(in.FullMethod, other) {
			signal = other
		}
	}
	g.s.add(func() {
		g.s.requests = append(g.s.requests, Request{
			Signal:      signal,
			Protocol:    "grpc",
			Compression: in.Compression,
			Header:      header,
		})
	})
}

func (grpcRequests) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (grpcRequests) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (grpcRequests) HandleConn(context.Context, stats.ConnStats)                       {}
