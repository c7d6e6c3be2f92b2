package telemetry

import (
	"cmp"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/handler/fault"
	"spangate/telemetry/logline"
)

// outcome is how a request ended, for span, metrics and log alike.
type outcome struct {
	status    int          // sent, or the one that says why none was
	standsFor int          // the status that it is judged by: that one, but for an answer of gRPC
	errorType string       // why it failed; also of failures that are answered with a 4xx
	spanError string       // error.type of the SERVER span; empty while its status is Unset
	failure   *fault.Error // nil: none was noted
}

// outcomeOf applies the table of telemetry's contract. A 4xx is the client's
// doing and no error of the server's, unless it came too late to be sent. Where HTTP calls
// an answer of a backend's successful, its status of gRPC decides.
func outcomeOf(e *exchange, w *countedResponse, grpc grpcStatus, aborted bool) outcome {
	o := outcome{status: w.status, failure: e.failure}
	standsFor := cmp.Or(e.standsFor, w.status)
	if e.failure != nil {
		o.errorType = string(e.failure.Type)
	}
	switch {
	case e.failure == nil && !aborted:
		if o.status == 0 {
			o.status = http.StatusOK // what net/http sends for a handler that says nothing
		}
		if standsFor >= http.StatusInternalServerError {
			o.spanError = strconv.Itoa(standsFor)
		} else if e.standsFor == 0 && standsFor < http.StatusBadRequest {
			o.spanError = grpc.serverError()
		}
	case e.failure == nil:
		o.errorType = string(fault.InternalError)
		o.spanError = o.errorType
	case e.failure.Type == fault.ClientDisconnected:
		o.status, o.spanError = fault.StatusClientClosedRequest, o.errorType
	case aborted || standsFor/100 != 4:
		o.spanError = o.errorType
	}
	if o.status == 0 {
		o.status = fault.Type(o.errorType).Status()
	}
	o.standsFor = cmp.Or(e.standsFor, o.status)
	return o
}

func (o *outcome) span(to attributes) {
	if o.spanError != "" {
		to.String(semconv.ErrorTypeKey, o.spanError)
	}
}

func (o *outcome) line(line *logline.Line) {
	if o.errorType != "" {
		line.String("error_type", o.errorType)
	}
	if o.failure != nil && o.failure.Err != nil {
		line.String("error", o.failure.Err.Error())
	}
}

// level returns how grave it is: an error when the backends or the proxy are at
// fault, also for a response that broke off, and a warning when the client asks
// too often, went away, or did not take its response.
func (o *outcome) level() slog.Level {
	switch {
	case o.standsFor == http.StatusTooManyRequests, o.status == fault.StatusClientClosedRequest,
		o.failure != nil && o.failure.Type == fault.ClientTimeout && o.spanError != "":
		return slog.LevelWarn
	case o.standsFor >= http.StatusInternalServerError, o.spanError != "":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// switches reports whether the answer to a request of that method ends what is HTTP
// of a connection, or of a stream: what comes after is another protocol's (RFC 9110
// §7.8, §9.3.6), and may last for days.
func switches(method string, status int) bool {
	return status == http.StatusSwitchingProtocols || method == http.MethodConnect && status/100 == 2
}

// requestDuration returns how long a request took as metrics have it: to its
// end, or to its answer when that switched protocols.
func requestDuration(method string, status int, toAnswer, toEnd time.Duration) time.Duration {
	if switches(method, status) {
		return toAnswer
	}
	return toEnd
}
