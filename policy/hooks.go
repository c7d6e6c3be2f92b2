package policy

import (
	"context"
	"net/http"
	"time"

	"spangate/handler/fault"
	"spangate/policy/jwks"
)

// Refuse answers a request that a policy refuses, with what policies have to say
// in its answer, such as Retry-After.
type Refuse func(w http.ResponseWriter, r *http.Request, why fault.Refusal)

// Hooks are told what policies find out. None of them may block; one that is nil
// is not called.
type Hooks struct {
	// RequestID is told the id of the request that ctx is of, before it goes on.
	RequestID func(ctx context.Context, id string)
	// Authenticated is told who the request that ctx is of comes from, before it
	// goes on.
	Authenticated func(ctx context.Context, p Principal)
	// Waited is told how long the request that ctx is of was in the queue, however
	// that ended.
	Waited func(ctx context.Context, d time.Duration)
	// Fetched is told of each time that the keys of tokens were fetched.
	Fetched func(jwks.Fetched)
}

// UnlessGone returns f for requests whose clients still wait: whoever has gone away
// while it was decided is refused nothing, see [fault.Refusal.For].
func (f Refuse) UnlessGone() Refuse {
	return func(w http.ResponseWriter, r *http.Request, why fault.Refusal) { f(w, r, why.For(r.Context())) }
}
