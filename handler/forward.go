package handler

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"spangate/handler/fault"
	"spangate/handler/field"
	"spangate/handler/wire"
)

// ForwardConfig says how [Forward] treats what it passes on. The zero value
// waits for a client without limit.
type ForwardConfig struct {
	Fields        field.Set     // what must be neither a trailer nor removed by Connection
	ClientTimeout time.Duration // longest wait for an HTTP/2 client to send a part of a body before the answer; 0: no limit
	Failures      Failures

	// Upgraded is told of each connection that goes on in another protocol, and what it
	// returns is called when that has ended. It may be nil.
	Upgraded func(*http.Request, *Upgrade) (ended func())
}

// Forward returns the reverse proxy itself: a handler that sends each request
// through rt and its response back, as RFC 9110 §7 asks of a gateway.
//
// What is for the next hop only is removed, what says where the request comes
// from is set ([ClientOf] knows), and everything else, the
// path and the query above all, passes as it came. Bodies, trailers, interim
// responses and upgraded connections pass while they arrive. A response that
// breaks off ends the client's connection or stream, so that it never looks
// complete; where the time of a call of gRPC is over, its status says so.
//
// What policies have to say in the answer ([AnswerOf]) goes before what the backend
// says there.
//
// Who is gone, of those who send nothing any more, the server of package wire finds
// out.
func Forward(rt http.RoundTripper, cfg ForwardConfig) http.Handler {
	return &forwarder{rt: rt, cfg: cfg}
}

type forwarder struct {
	rt  http.RoundTripper
	cfg ForwardConfig
}

func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if why := RefusalOf(r); why.Status != 0 {
		f.cfg.Failures.Refuse(w, r, why)
		return
	}
	if err := r.Context().Err(); err != nil { // it waited too long, or never would
		f.cfg.Failures.respond(w, r, err)
		return
	}
	on := forwardingOf(r)
	ctx := r.Context()
	body := newRequestBody(r)
	if body != nil {
		body.ctx.Parent = ctx
		ctx = &body.ctx
		defer body.ctx.Cancel(nil)
		defer body.watch(w, r, f.cfg.ClientTimeout)()
	}
	if body != nil && r.ContentLength == 0 {
		if err := body.none(); err != nil {
			f.cfg.Failures.respond(w, r, err)
			return
		}
		body = nil
	}
	on.interim = interimResponses{Context: ctx, w: w, fields: f.cfg.Fields, ended: !r.ProtoAtLeast(1, 1)} // HTTP/1.0 has none
	out := f.outgoing(on, r, body)
	on.interim.expected = out.Header["Expect"] != nil

	resp, err := f.rt.RoundTrip(out)
	on.interim.end()
	if err != nil {
		if cause := body.failure(); cause != nil {
			err = cause
		}
		f.cfg.Failures.respond(w, r, err)
		return
	}
	if body != nil {
		body.pauses.end()
	}
	if f.upgraded(w, r, out, resp) {
		return
	}
	if err := f.respond(on, w, r, resp); err != nil {
		resp.Body.Close()
		f.cfg.Failures.breakOff(&on.client, r, err)
		return
	}
	if body != nil && body.incomplete() {
		// The backend has said all it will. Close would wait for the client to
		// send the rest, which it may do only once it has the end of the response.
		body.ctx.Cancel(nil)
	}
	resp.Body.Close()
}

// outgoing returns the request to be sent for r, whose header it takes: who comes
// first in the chain has no more to do with it. Its URL has no authority yet: the
// backend that it is given to adds its own.
func (f *forwarder) outgoing(on *forwarding, r *http.Request, body *requestBody) *http.Request {
	header := r.Header
	upgrade, trailers := upgradeOf(header), acceptsTrailers(header)
	f.cfg.Fields.EndHop(header)
	if upgrade != "" && body == nil && (r.ProtoMajor == 1 && r.ProtoMinor > 0 || webSocketOf(r) != nil) {
		header["Connection"], header["Upgrade"] = []string{"Upgrade"}, []string{upgrade}
	}
	if trailers {
		header["Te"] = on.room.Value("trailers")
	}
	if header["User-Agent"] == nil {
		header["User-Agent"] = nil // keeps net/http from adding its own
	}
	delete(header, "Host") // HTTP/2 may say it beside the authority
	if header["Expect"] != nil {
		expects := body != nil && r.ProtoMajor == 1 && r.ProtoMinor > 0 && expectsContinue(r)
		if delete(header, "Expect"); expects {
			header["Expect"] = []string{"100-continue"}
		}
	}
	if hops, limited, _ := maxForwards(r); limited {
		header["Max-Forwards"] = []string{strconv.FormatInt(hops-1, 10)}
	}
	on.setForwarded(r, header)
	addVia(header, r.ProtoMajor, r.ProtoMinor)

	on.url = OutgoingURL(r)
	on.out = *(&http.Request{
		Method:        r.Method,
		URL:           &on.url,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		ContentLength: r.ContentLength,
		Host:          r.Host,
	}).WithContext(&on.interim)
	if body != nil {
		on.out.Body = body
		on.out.Trailer = body.announced(f.cfg.Fields)
	}
	return &on.out
}

// respond sends resp to the client. Its error comes from the body; the header
// is sent by then.
func (f *forwarder) respond(on *forwarding, w http.ResponseWriter, r *http.Request, resp *http.Response) error {
	upgrade := resp.Header["Upgrade"]
	header, named := f.passHeader(w, r, resp)
	if header["Content-Type"] == nil {
		header["Content-Type"] = nil // keeps net/http from guessing one
	}
	trailers := trailers{fields: f.cfg.Fields, named: named}
	if trailers.announce(header, resp.Trailer) && r.ProtoMajor == 1 {
		delete(header, "Content-Length") // HTTP/1 has trailers behind chunks only
	}
	if resp.StatusCode == http.StatusUpgradeRequired {
		requireUpgrade(w, r, upgrade)
	}
	w.WriteHeader(resp.StatusCode)

	on.client = clientWriter{w: w, left: resp.ContentLength}
	client := &on.client
	client.limit(r.Context())
	if resp.ContentLength < 0 && r.Method != http.MethodHead {
		// It may be a stream, whose header does not wait for the first of it.
		if err := client.flush(); err != nil {
			return fault.OfClient(r.Context(), err)
		}
	}
	if err := client.copyFrom(r.Context(), resp.Body); err != nil {
		return err
	}
	trailers.send(header, resp.Trailer)
	return nil
}

// passHeader fills the header of the answer to r with that of resp, adds this hop
// to it, and lets policies have their say. It also returns the fields that
// Connection has named.
func (f *forwarder) passHeader(w http.ResponseWriter, r *http.Request, resp *http.Response) (header http.Header, named []string) {
	if lines := resp.Header["Connection"]; lines != nil {
		named = slices.Collect(f.cfg.Fields.Options(lines))
	}
	f.cfg.Fields.EndHop(resp.Header)
	addVia(resp.Header, resp.ProtoMajor, resp.ProtoMinor)
	header = fill(w, resp.Header)
	AnswerOf(r).Apply(header)
	return header, named
}

// add adds the fields of others that header does not have.
func add(header, others http.Header) {
	for name, values := range others {
		if _, said := header[name]; !said {
			header[name] = values
		}
	}
}

// fill adds the fields of header to that of w, and returns it. Where the answer can take
// header for its own they are not copied.
func fill(w http.ResponseWriter, header http.Header) http.Header {
	said := w.Header()
	for {
		switch over := w.(type) {
		case interface{ TakeHeader(http.Header) }:
			if len(said) > 0 {
				add(header, said)
			}
			over.TakeHeader(header)
			return header
		case interface{ Unwrap() http.ResponseWriter }:
			w = over.Unwrap()
		default:
			maps.Copy(said, header)
			return said
		}
	}
}

// interimResponses is the context of a request on its way to a backend, and passes the
// 1xx responses to it on while they come. Over HTTP/2 net/http tells of them from
// another goroutine, which may go on after the final response.
type interimResponses struct {
	context.Context
	w      http.ResponseWriter
	fields field.Set
	// expected says that the client waits for a 100. The server sends that by
	// itself when the body is read, as it is once the backend has sent its own.
	expected bool

	mu    sync.Mutex
	ended bool
}

// Value implements [context.Context].
func (i *interimResponses) Value(key any) any {
	if key == (wire.InterimKey{}) {
		return i
	}
	return i.Context.Value(key)
}

// Interim implements [wire.Interim].
func (i *interimResponses) Interim(status int, fields http.Header) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended || status == http.StatusSwitchingProtocols || status == http.StatusContinue && i.expected {
		return nil
	}
	header := i.w.Header()
	connection := header["Connection"] // of which only the final response speaks
	clear(header)
	i.fields.EndHop(fields)
	maps.Copy(header, fields)
	// A field that an interim response must not have, so that net/http sends a copy:
	// over HTTP/2 it goes on to read what it sends when the client resets the stream.
	header["Content-Length"] = nil
	i.w.WriteHeader(status)
	clear(header)
	if connection != nil {
		header["Connection"] = connection
	}
	return nil
}

func (i *interimResponses) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ended = true
}
