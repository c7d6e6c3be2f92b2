package fault

import "context"

// Refusal says why a request is not let in, or not forwarded though nothing has
// failed. The zero value refuses nothing.
type Refusal struct {
	Policy string // which one refuses: access, auth, cors, rate_limit, concurrency, body; none: the proxy itself
	Reason string // why, out of a few that the policy documents; a metric label
	Status int    // of the response
	Allow  string // with 405, the methods that are let in instead; empty: those that are forwarded at all
	Detail string // a sentence for the client that tells nothing of the inside; empty: the one that the status has

	// Type is what the refusal is as a failure of the request; empty: it is none.
	// With ClientDisconnected nobody waits for an answer any more, so that nobody
	// is refused one; [Gone] tells why.
	Type Type
}

// For returns r as it is for the request that ctx is of: whoever has gone away while
// it was decided is refused nothing, whatever came of that.
func (r Refusal) For(ctx context.Context) Refusal {
	if ctx.Err() == context.Canceled && Gone(ctx).Type == ClientDisconnected {
		return Refusal{Status: StatusClientClosedRequest, Type: ClientDisconnected}
	}
	return r
}
