package handler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"spangate/handler/fault"
	"spangate/handler/field"
	"spangate/handler/wire"
)

// retryAfter is what a 503 asks clients to wait, in seconds.
const retryAfter = 1

// details tell a client what happened without telling how it looks inside.
var details = map[int]string{
	http.StatusBadRequest:            "The request's method or a field of it is not HTTP's.",
	http.StatusRequestTimeout:        "The request's body did not arrive in time.",
	http.StatusRequestEntityTooLarge: "The request's body is larger than is accepted here.",

	http.StatusRequestHeaderFieldsTooLarge: "The request's header is larger than is accepted here.",
	http.StatusInternalServerError:         "The gateway failed.",
	http.StatusBadGateway:                  "The server behind the gateway gave no valid answer.",
	http.StatusServiceUnavailable:          "No server is available for this request at the moment.",
	http.StatusGatewayTimeout:              "The server behind the gateway did not answer in time.",
}

// Failures answers requests that failed. The zero value answers without a
// trace id and reports to nobody. It is safe for concurrent use.
type Failures struct {
	// TraceID returns the id to show to the client, or "".
	TraceID func(context.Context) string
	// Report is told of each failure, before the response is written.
	Report func(*http.Request, *fault.Error)
	// StandsFor is told the status of HTTP that an answer to a client of gRPC stands
	// for, before it is written. That is sent with 200.
	StandsFor func(r *http.Request, status int)
}

// respond answers r, of whose response nothing was sent, with the status that
// err maps to and a body of application/problem+json (RFC 9457), or of text
// where only text is accepted; to a client of gRPC with the status that it
// understands. A client that is gone is not answered: respond then panics with
// [http.ErrAbortHandler], as abort does.
func (f Failures) respond(w http.ResponseWriter, r *http.Request, err error) {
	e := fault.Of(r.Context(), err)
	status := e.Type.Status()
	if status == fault.StatusClientClosedRequest {
		f.abort(r, e)
	}
	f.report(r, e)
	header := w.Header()
	if status == http.StatusServiceUnavailable {
		header.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	if status == http.StatusRequestTimeout || status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge {
		wire.EndConnection(w, r) // what is left of the body cannot be told from a next request
	}
	detail := ""
	if _, ok := errors.AsType[*fault.RequestBodyError](err); ok && status == http.StatusBadRequest {
		detail = "The request's body does not follow its framing."
	} else if phrase, ok := errors.AsType[fault.Phrase](err); ok && e.Type == fault.MalformedRequest {
		detail = string(phrase)
	} else if e.Type == fault.IdentityError {
		detail = "The gateway has nothing to show the server behind it who it is."
	}
	f.write(w, r, status, detail)
}

// Refuse answers r, which is refused though nothing failed, such as with 405, in
// the form in which failures are answered. Where nobody waits any more it does what
// is done about a failure, with the reason for that.
func (f Failures) Refuse(w http.ResponseWriter, r *http.Request, why fault.Refusal) {
	if why.Type == fault.ClientDisconnected {
		f.respond(w, r, fault.Gone(r.Context()))
		return
	}
	switch why.Status {
	case http.StatusNoContent:
		AnswerOf(r).Apply(w.Header())
		w.Header().Set("Allow", allowed)
		w.WriteHeader(why.Status)
		return
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", cmp.Or(why.Allow, allowed))
	}
	f.write(w, r, why.Status, why.Detail)
}

// allowed are the methods of RFC 9110 that are forwarded.
const allowed = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// abort ends a response that has begun so that it cannot look complete: an
// HTTP/1 connection is closed, an HTTP/2 stream is reset. It does not return.
func (f Failures) abort(r *http.Request, err error) {
	f.report(r, fault.Of(r.Context(), err))
	panic(http.ErrAbortHandler)
}

// breakOff ends a response that has begun, and will not be whole, as abort does. A
// stream of gRPC whose time is over ends with that status instead, in its trailer, as
// it would have before it began, where it may end: its client cannot tell a reset from a
// failure.
func (f Failures) breakOff(client *clientWriter, r *http.Request, err error) {
	e, header := fault.Of(r.Context(), err), client.w.Header()
	if status := e.Type.Status(); status == http.StatusGatewayTimeout && client.mayEnd() && endsInTrailer(r, header) {
		f.report(r, e)
		f.setGRPC(header, http.TrailerPrefix, r, f.problem(r, status, ""))
		return
	}
	f.abort(r, err)
}

func (f Failures) report(r *http.Request, e *fault.Error) {
	if f.Report != nil {
		f.Report(r, e)
	}
}

// problem is the body of RFC 9457. Its type is the default, about:blank.
type problem struct {
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail,omitempty"`
	TraceID string `json:"trace_id,omitempty"`
}

func (f Failures) write(w http.ResponseWriter, r *http.Request, status int, detail string) {
	p := f.problem(r, status, detail)
	if mediaType := field.GRPC(r.Header); mediaType != "" {
		f.writeGRPC(w, r, mediaType, p)
		return
	}
	var body []byte
	header := w.Header()
	AnswerOf(r).Apply(header)
	if accept := r.Header.Get("Accept"); strings.Contains(accept, "text/") && !strings.Contains(accept, "json") {
		header.Set("Content-Type", "text/plain; charset=utf-8")
		body = p.text()
	} else {
		header.Set("Content-Type", "application/problem+json")
		body, _ = json.Marshal(p) // cannot fail: strings and a number
		body = append(body, '\n')
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body)
}

func (f Failures) problem(r *http.Request, status int, detail string) problem {
	p := problem{Title: http.StatusText(status), Status: status, Detail: cmp.Or(detail, details[status])}
	if f.TraceID != nil {
		p.TraceID = f.TraceID(r.Context())
	}
	return p
}

// sentence says it in one line, beside a status of its own.
func (p problem) sentence() string {
	sentence := cmp.Or(p.Detail, p.Title)
	if p.TraceID != "" {
		sentence += " (trace " + p.TraceID + ")"
	}
	return sentence
}

func (p problem) text() []byte {
	var b []byte
	b = strconv.AppendInt(b, int64(p.Status), 10)
	b = append(append(b, ' '), p.Title...)
	if p.Detail != "" {
		b = append(append(b, "\n\n"...), p.Detail...)
	}
	if p.TraceID != "" {
		b = append(append(b, "\n\ntrace "...), p.TraceID...)
	}
	return append(b, '\n')
}
