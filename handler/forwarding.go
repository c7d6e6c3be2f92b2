package handler

import (
	"net/http"
	"net/url"

	"spangate/handler/field"
)

// forwarding is what [Forward] needs for one request, in one piece of memory.
type forwarding struct {
	out     http.Request // as it is sent
	url     url.URL      // of out
	room    field.Room   // for the fields of out
	interim interimResponses
	client  clientWriter
}

// forwardingOf returns what is kept for r, or a new one where r is not behind
// [Identify], or is forwarded for a second time.
func forwardingOf(r *http.Request) *forwarding {
	i := inquiryOf(r)
	if i == nil || i.isForwarded {
		return &forwarding{}
	}
	i.isForwarded = true
	return &i.forwarding
}

// setForwarded writes into header what backends are told of the client of r.
func (on *forwarding) setForwarded(r *http.Request, header http.Header) {
	if i := inquiryOf(r); i != nil {
		i.client.setForwarded(header, &on.room)
		return
	}
	client := ClientOf(r)
	client.setForwarded(header, &on.room)
}
