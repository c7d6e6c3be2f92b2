package telemetry

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"

	"spangate/handler/fault"
	"spangate/telemetry/logline"
)

// grpcStatus is the status of gRPC that an answer has, whoever gave it. The zero value
// is that of an answer without one. Its status of HTTP says nothing of how a call went.
type grpcStatus struct {
	said bool
	code fault.GRPCCode
}

// grpcStatusOf returns the one that fields say: a header, in which the trailer has been
// added once the answer is complete, or a trailer.
func grpcStatusOf(fields http.Header) grpcStatus {
	code, said := fault.GRPCStatus(fields)
	return grpcStatus{said, code}
}

// clientError returns the error.type of a CLIENT span, or "" for a call that went well:
// the conventions take all else for errors there.
func (s grpcStatus) clientError() string {
	if s.code == fault.GRPCOK {
		return ""
	}
	return s.code.String()
}

// serverError returns the error.type of a SERVER span, or "" for a call that did not
// fail by the server's fault.
func (s grpcStatus) serverError() string {
	if !s.code.OfServer() {
		return ""
	}
	return s.code.String()
}

func (s *grpcStatus) span(attrs []attribute.KeyValue) []attribute.KeyValue {
	if s.said {
		attrs = append(attrs, grpcStatusKey.String(s.code.String()))
	}
	return attrs
}

func (s *grpcStatus) line(line *logline.Line) {
	if s.said {
		line.String("grpc_status", s.code.String())
	}
}
