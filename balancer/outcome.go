package balancer

import (
	"net/http"
	"strconv"

	"spangate/handler/fault"
)

// Outcome is how an attempt went. It is worked out once, for those who try again,
// for the health of the backend and for whoever listens.
type Outcome struct {
	// Status is that of the response; 0: there was none, or it broke off.
	Status int
	// Code is that of gRPC, which a response of gRPC has beside a status that says
	// nothing; OK is that of others too.
	Code fault.GRPCCode
	// Err is why there was no response, or what it broke off with; else nil.
	Err *fault.Error
	// Failed says that the attempt counts against the backend, in one of the ways
	// that OUTLIER_ON lists.
	Failed bool
	// Doubtful says that it is doubtful whether the backend is fit: the attempt has
	// failed, or the request's own deadline has passed, whether that was short or the
	// backend slow.
	Doubtful bool
}

// judge returns the outcome of an attempt that ended like o, where c lists what counts
// against the backend.
func (c *Conditions) judge(o Outcome) Outcome {
	if o.tells() {
		o.Failed = c.match(o)
		o.Doubtful = o.Failed || o.Err != nil && o.Err.Type == fault.Timeout
	}
	return o
}

// tells reports whether the outcome tells anything about the backend.
func (o Outcome) tells() bool { return o.Err == nil || o.Err.Counts() }

// ofServer reports whether a response says that the server has failed.
func (o Outcome) ofServer() bool {
	return o.Status >= http.StatusInternalServerError || o.Code.OfServer()
}

// sent reports whether a backend may have acted on the attempt.
func (o Outcome) sent() bool { return o.Err == nil || o.Err.Sent }

// why returns why an attempt has failed: its error, or its status.
func (o Outcome) why() typedError {
	switch {
	case o.Err != nil:
		return o.Err
	case o.Status < http.StatusBadRequest && o.Code != fault.GRPCOK:
		return failedCode(o.Code)
	}
	return failedStatus(o.Status)
}

// typedError is an error that has a word for telemetry.
type typedError interface {
	error
	ErrorType() string
}

// failedStatus is a status that counts as a failure.
type failedStatus int

func (s failedStatus) Error() string     { return "status " + strconv.Itoa(int(s)) }
func (s failedStatus) ErrorType() string { return strconv.Itoa(int(s)) }

// failedCode is a code of gRPC that counts as a failure.
type failedCode fault.GRPCCode

func (c failedCode) Error() string     { return "status " + c.ErrorType() }
func (c failedCode) ErrorType() string { return fault.GRPCCode(c).String() }

// settled reports whether the header of resp, the answer to r, says how the
// attempt went: of an answer that is an error, or that has no content, or that
// switches protocols, after which a connection ends as its users like. Any other
// is only as good as its body.
func settled(r *http.Request, resp *http.Response) bool {
	return resp.StatusCode >= http.StatusBadRequest || resp.StatusCode == http.StatusSwitchingProtocols ||
		r.Method == http.MethodHead || resp.ContentLength == 0
}
