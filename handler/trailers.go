package handler

import (
	"net/http"
	"slices"

	"spangate/handler/field"
)

// announced returns the trailer of the request to be sent: what the client has
// announced, without what must stand in the header. Each field has one value, set
// when the body has ended; empty, it did not come. The map is never written to
// again, as attempts that were given up may still read it.
func (b *requestBody) announced(fields field.Set) http.Header {
	for name := range b.trailer {
		if fields.InTrailer(name) {
			if b.passed == nil {
				b.passed = http.Header{}
			}
			b.passed[name] = []string{""}
		}
	}
	return b.passed
}

// trailers pass a response's trailer on.
type trailers struct {
	fields    field.Set
	named     []string // by the response's Connection
	announced []string
}

func (t *trailers) pass(name string) bool {
	return t.fields.InTrailer(name) && !slices.Contains(t.named, name)
}

// announce writes into header which fields of trailer will follow, and reports
// whether there are any.
func (t *trailers) announce(header, trailer http.Header) bool {
	for name := range trailer {
		if t.pass(name) {
			t.announced = append(t.announced, name)
		}
	}
	if t.announced != nil {
		header["Trailer"] = t.announced
	}
	return t.announced != nil
}

// send hands the trailer to the server, in its header. What was not announced
// needs a prefix there to be told from a header field. What was announced and did
// not come has no values: of such fields alone net/http's HTTP/2 would make a
// header block without content, for which it sends no frame, and the stream would
// not end.
func (t *trailers) send(header, trailer http.Header) {
	for name, values := range trailer {
		switch {
		case len(values) == 0 || !t.pass(name):
		case slices.Contains(t.announced, name):
			header[name] = values
		default:
			header[http.TrailerPrefix+name] = values
		}
	}
}
