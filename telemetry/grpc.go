package telemetry

import (
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel/attribute"

	"spangate/handler/fault"
)

// grpcStatus is the name of the status of gRPC that an answer has, whoever gave it;
// empty: it has none. Its status of HTTP says nothing of how a call went.
type grpcStatus string

// grpcStatusOf returns the one that header says, in which the trailer has been
// added once the answer is complete.
func grpcStatusOf(header http.Header) grpcStatus {
	lines := header["Grpc-Status"]
	if lines == nil {
		lines = header[http.TrailerPrefix+"Grpc-Status"]
	}
	if len(lines) == 0 {
		return ""
	}
	return grpcStatus(fault.ParseGRPCCode(lines[0]).String())
}

func (s *grpcStatus) span(attrs []attribute.KeyValue) []attribute.KeyValue {
	if *s != "" {
		attrs = append(attrs, grpcStatusKey.String(string(*s)))
	}
	return attrs
}

func (s *grpcStatus) line(attrs []slog.Attr) []slog.Attr {
	if *s != "" {
		attrs = append(attrs, slog.String("grpc_status", string(*s)))
	}
	return attrs
}
