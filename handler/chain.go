// Package handler answers: how does a client's request become a backend's, and
// the backend's answer the client's?
//
// [Forward] is the proxy's core: the one place where an [http.Handler] becomes
// an [http.RoundTripper]. [Chain] puts policies before it, [Failures] turns
// what went wrong into a response, and [wire.Serve] runs the whole on a listener
// until it is told to leave.
package handler

import (
	"net/http"
	"slices"
)

// Link is one step of a chain. A nil Wrap means that the step is off.
type Link struct {
	Name string
	Wrap func(http.Handler) http.Handler
}

// Chain returns h behind links. The first link sees a request first.
func Chain(h http.Handler, links ...Link) http.Handler {
	for _, link := range slices.Backward(links) {
		if link.Wrap != nil {
			h = link.Wrap(h)
		}
	}
	return h
}
