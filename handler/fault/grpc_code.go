package fault

import (
	"net/http"
	"strconv"
	"strings"
)

// GRPCCode is a status code of gRPC.
type GRPCCode int

// The codes that are told of an answer of the proxy's own, or that say whose fault one
// of a backend's is, or whether a call may be repeated.
const (
	GRPCOK                GRPCCode = 0
	GRPCCanceled          GRPCCode = 1
	GRPCUnknown           GRPCCode = 2
	GRPCDeadlineExceeded  GRPCCode = 4
	GRPCPermissionDenied  GRPCCode = 7
	GRPCResourceExhausted GRPCCode = 8
	GRPCAborted           GRPCCode = 10
	GRPCOutOfRange        GRPCCode = 11
	GRPCUnimplemented     GRPCCode = 12
	GRPCInternal          GRPCCode = 13
	GRPCUnavailable       GRPCCode = 14
	GRPCDataLoss          GRPCCode = 15
	GRPCUnauthenticated   GRPCCode = 16
)

// grpcNames are the names of all codes, in the order of their numbers.
var grpcNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// String returns the name of c; what is no code of gRPC is UNKNOWN, as clients
// take it.
func (c GRPCCode) String() string {
	if c < 0 || int(c) >= len(grpcNames) {
		c = GRPCUnknown
	}
	return grpcNames[c]
}

// ParseGRPCCode returns the code that a field grpc-status says.
func ParseGRPCCode(value string) GRPCCode {
	code, err := strconv.ParseUint(value, 10, 8)
	if err != nil || int(code) >= len(grpcNames) {
		return GRPCUnknown
	}
	return GRPCCode(code)
}

// GRPCStatus returns the code that an answer's header, or its trailer, says in
// grpc-status, and whether it says one. A trailer that is yet to be sent may stand in
// the header, as [http.TrailerPrefix] has it, and counts before that.
func GRPCStatus(fields http.Header) (code GRPCCode, said bool) {
	lines := fields[http.TrailerPrefix+"Grpc-Status"]
	if len(lines) == 0 {
		lines = fields["Grpc-Status"]
	}
	if len(lines) == 0 {
		return GRPCOK, false
	}
	return ParseGRPCCode(lines[0]), true
}

// OfServer reports whether c says that the server has failed, and not its client: what
// OpenTelemetry's conventions for gRPC take for an error of a server's span.
func (c GRPCCode) OfServer() bool {
	switch c {
	case GRPCUnknown, GRPCDeadlineExceeded, GRPCUnimplemented, GRPCInternal, GRPCUnavailable, GRPCDataLoss:
		return true
	}
	return false
}

// Word returns the name of c as variables have it, such as deadline-exceeded.
func (c GRPCCode) Word() string { return strings.ToLower(strings.ReplaceAll(c.String(), "_", "-")) }

// GRPCWords are those of all codes that are failures, in the order of their numbers.
func GRPCWords() (words []string) {
	for code := range grpcNames[1:] {
		words = append(words, GRPCCode(code+1).Word())
	}
	return words
}

// GRPCCodeNamed returns the code of that name, in lower case, its words joined by - or _.
func GRPCCodeNamed(name string) (GRPCCode, bool) {
	for code := range grpcNames {
		if GRPCCode(code).Word() == strings.ReplaceAll(name, "_", "-") {
			return GRPCCode(code), true
		}
	}
	return GRPCUnknown, false
}

// GRPCCodeTaken returns what clients of gRPC take an answer for that has this status of
// HTTP and none of gRPC (grpc/doc/http-grpc-status-mapping.md).
func GRPCCodeTaken(status int) GRPCCode {
	switch status {
	case http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge:
		return GRPCInternal
	case http.StatusUnauthorized:
		return GRPCUnauthenticated
	case http.StatusForbidden:
		return GRPCPermissionDenied
	case http.StatusNotFound:
		return GRPCUnimplemented
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return GRPCUnavailable
	}
	return GRPCUnknown
}

// GRPCCodeOf returns the code with which the proxy tells a client of gRPC what would be
// that status of HTTP.
//
// Where gRPC's own table ([GRPCCodeTaken]) guesses, as it does of servers that know
// nothing of gRPC, this one knows more: 429 and what is too
// large use something up, a deadline has passed with 504 and 408, and what fails
// here is INTERNAL.
func GRPCCodeOf(status int) GRPCCode {
	switch status {
	case http.StatusBadRequest, http.StatusInternalServerError, http.StatusLoopDetected:
		return GRPCInternal
	case http.StatusUnauthorized:
		return GRPCUnauthenticated
	case http.StatusForbidden:
		return GRPCPermissionDenied
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return GRPCUnimplemented
	case http.StatusTooManyRequests, http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge:
		return GRPCResourceExhausted
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return GRPCDeadlineExceeded
	case http.StatusBadGateway, http.StatusServiceUnavailable:
		return GRPCUnavailable
	case StatusClientClosedRequest:
		return GRPCCanceled
	}
	return GRPCUnknown
}
