package telemetry

import (
	"net/http"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/telemetry/logline"
)

// grpcStatus is the status of gRPC that an answer has, whoever gave it. The zero value
// is that of an answer without one. Its status of HTTP says nothing of how a call went.
type grpcStatus struct {
	known bool
	code  fault.GRPCCode
}

// grpcStatusOf returns the one of an answer that is complete, in whose header its trailer
// has been added, or which comes with that.
func grpcStatusOf(answer handler.GRPCAnswer, trailer http.Header, content bool) grpcStatus {
	code, known := answer.Status(trailer, content)
	return grpcStatus{known, code}
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

func (s *grpcStatus) span(to attributes) {
	if s.known {
		to.String(grpcStatusKey, s.code.String())
	}
}

func (s *grpcStatus) line(line *logline.Line) {
	if s.known {
		line.String("grpc_status", s.code.String())
	}
}
