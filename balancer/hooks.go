package balancer

import (
	"context"
	"net/http"

	"spangate/balancer/identity"
	"spangate/handler/wire"
	"spangate/probe"
)

// Hooks are how others listen to the decisions of a [Pool], and decorate what it
// does. The zero value is silent: a nil hook is not called. Those that are told of
// requests are called concurrently.
type Hooks struct {
	// Picked is told of each choice for r; b is nil when no backend was ready.
	Picked func(r *http.Request, b *Backend)

	// Connections returns what listens to the connections to b that carry requests.
	Connections func(b *Backend) wire.ConnectionHooks

	// Attempt returns what sends the attempts at b in place of next, which it must
	// call. ready returns the number of backends that are ready.
	Attempt func(b *Backend, ready func() int, next http.RoundTripper) http.RoundTripper

	// Attempted is told how an attempt at b went, once that is known and before
	// anything follows from it. What says nothing about the backend is not told: what
	// the client ended, or the end of a connection that was kept. ctx is that of the
	// attempt's request.
	Attempted func(ctx context.Context, b *Backend, o Outcome)

	// RetryWait returns what waits before a retry in place of next.
	RetryWait func(next Wait) Wait

	// RetryStopped is told once for each request why no further attempt is made. ctx
	// is the request's.
	RetryStopped func(ctx context.Context, reason StopReason)

	// Probe returns the check that probes b in place of next.
	Probe func(b *Backend, kind probe.Type, next probe.Check) probe.Check

	// ProbeRequest returns what sends the requests of probes in place of next.
	ProbeRequest func(next http.RoundTripper) http.RoundTripper

	// Changed is told of each change of a backend's state, one at a time. It must not
	// call the pool.
	Changed func(StateChange)

	// Discovered is told of what a lookup has changed, after it has.
	Discovered func(Discovered)

	// Handshake is told of each handshake of TLS with b, those of probes included: why
	// it failed, or that b turned out not to be content with it, or nil. It is called
	// concurrently.
	Handshake func(b *Backend, err error)

	// Reloaded is told that files of TLS have changed, and why what they say now is
	// not heeded, or nil.
	Reloaded func(error)

	// Variable returns what a variable is called that [Config] calls so; nil: so too.
	Variable func(name string) string

	// Identity listens to how tokens for backends are got.
	Identity identity.Hooks

	// Identities has the sources of these tokens, which pools can have in common; nil: the
	// pool has its own.
	Identities *identity.Sources

	// Failed is told of errors of attempts, probes and lookups among which one may be
	// that this process or its host has run out of something: see [fault.Exhausted].
	Failed func(error)
}

// failed tells of err, which may be nil.
func (h *Hooks) failed(err error) {
	if err != nil && h.Failed != nil {
		h.Failed(err)
	}
}
