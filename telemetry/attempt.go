package telemetry

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/telemetry/export/series"
)

// attempt is one request to one backend. It stands in for its response's body,
// with which it ends.
type attempt struct {
	client   *client
	exchange *exchange       // nil: of no request
	ctx      context.Context // of the request, and with the span
	span     trace.Span
	course   wire.Course // from when it began
	sent     string      // the method
	url      *url.URL    // of this attempt alone
	method   string      // normalized
	resend   int         // number of the retry; 0: the first attempt
	copied   *mirrored   // it is of a copy, for a mirror; nil: of no copy
	ready    int         // backends
	series   *attemptSeries
	active   *series.Sum
	recorded recent[clientSet, clientSeries]
	fields   ownContext

	status    int           // 0: none received
	answered  time.Duration // from its start to the response's header
	version   string
	answer    handler.GRPCAnswer
	grpc      grpcStatus // once it has ended
	content   bool       // some has been read
	response  *http.Response
	body      io.ReadCloser
	ended     atomic.Bool // by the body's end, or by who closes it amid a read
	took      time.Duration
	errorType string       // once it has ended, as took
	failure   *fault.Error // what it ended with; nil: with a complete answer
}

// end records the attempt, once. err is nil when nothing went wrong; complete says that
// all of the answer has come.
func (a *attempt) end(err *fault.Error, complete bool) {
	if a.ended.Swap(true) {
		return
	}
	if complete {
		a.grpc = grpcStatusOf(a.answer, a.response.Trailer, a.content)
	}
	a.errorType, a.failure = attemptError(a.status, a.grpc, err), err
	a.took = time.Since(a.course.Start)
	a.exchange.end(a.span, a.course.Start.Add(a.took), a)
	a.into().duration.Record(a.ctx, requestDuration(a.method, a.status, a.answered, a.took))
	a.active.Add(a.ctx, -1)
}

// Tell implements [teller].
func (a *attempt) Tell(to attributes) {
	t, c := a.client.telemetry, a.client
	tellMethod(to, a.sent, a.method, t.longestText)
	to.String(semconv.URLFullKey, t.longestText.text(fullURL(a.url.Scheme, a.url.Host, a.url)))
	to.String(semconv.ServerAddressKey, c.address)
	to.Int(semconv.ServerPortKey, c.port)
	to.String(backendKey, c.backend.Name)
	to.String(balancerAlgorithmKey, string(c.algorithm))
	to.Int(balancerReadyKey, a.ready)
	if address := c.backend.Address; address != "" {
		to.String(backendAddressKey, address)
	}
	if service := c.backend.Service; service != "" {
		to.String(semconv.ServicePeerNameKey, service)
	}
	a.copied.tell(to)
	if a.resend > 0 {
		to.Int(semconv.HTTPRequestResendCountKey, a.resend)
	}
	switch addr := a.course.Peer.(type) {
	case *net.TCPAddr:
		to.String(semconv.NetworkPeerAddressKey, c.peer.text(addr))
		to.Int(semconv.NetworkPeerPortKey, addr.Port)
	case *net.UnixAddr:
		to.String(semconv.NetworkPeerAddressKey, addr.Name)
	}
	a.exchange.within(to)
	tellTLS(to, a.course.TLS)
	a.tellCourse(to)
	if a.status != 0 {
		to.Int(semconv.HTTPResponseStatusCodeKey, a.status)
		to.String(semconv.NetworkProtocolVersionKey, a.version)
	}
	a.grpc.span(to)
	if a.errorType != "" {
		to.String(semconv.ErrorTypeKey, a.errorType)
	}
}

// failed implements [teller].
func (a *attempt) failed() (string, bool) { return a.failure.Description(), a.errorType != "" }

// attemptError returns the error.type of an attempt, or "" for one that is no
// error: what the client caused says nothing about the backend. What this process
// caused is an error of the attempt all the same.
func attemptError(status int, grpc grpcStatus, err *fault.Error) string {
	switch {
	case err != nil && (!err.Blameless() || err.Type == fault.Overloaded):
		return string(err.Type)
	case err == nil && status >= http.StatusBadRequest:
		return strconv.Itoa(status)
	case err == nil:
		return grpc.clientError()
	}
	return ""
}

func (a *attempt) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	a.content = a.content || n > 0
	switch {
	case err == io.EOF:
		a.end(nil, true)
	case err != nil:
		a.end(fault.OfBody(a.ctx, err), false)
	}
	return n, err
}

// Close also ends an attempt of whose body not all was read: the client has
// gone by then, or there is nothing to read in answer to HEAD.
func (a *attempt) Close() error {
	a.end(nil, false) // before a read meets with it
	return a.body.Close()
}
