// Package handler answers: how does a client's request become a backend's, and
// the backend's answer the client's?
//
// [Forward] is the proxy's core: the one place where an [http.Handler] becomes
// an [http.RoundTripper]. A [Stack] puts steps before it, [Failures] turns what
// went wrong into a response, and [ClientOf] says who asks.
//
// A few words have one meaning in this repository:
//
//	attempt    a request sent to one backend, over one connection, once
//	backend    one server that requests are sent to; all of a route are its pool
//	client     who asks: the peer, or whom a trusted peer names
//	door       a policy's decision to let a request in
//	failure    why a request or an attempt has no good answer, as handler/fault names it
//	forward    all attempts at a request together
//	hook       how telemetry listens to a decision, apart from configuration
//	member     a backend as it is configured; one that is looked up stands for several
//	probe      what asks a backend whether it is fit
//	refusal    a policy's, or the proxy's own, answer in place of a backend's
//	route      a column of doors, and the pool behind it
//	verdict    what probes say of a backend
package handler
