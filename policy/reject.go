package policy

import "net/http"

// Rejection says why a policy does not let a request in.
type Rejection struct {
	Policy string // which one: access, auth, cors, rate_limit, concurrency, body
	Reason string // why, out of a few that the policy documents; a metric label
	Status int    // of the response
	Detail string // a sentence for the client that tells nothing of the inside
}

// Reject answers a request that a policy refuses. What the policy has put into
// the header of the response, such as Retry-After, stays there.
type Reject func(w http.ResponseWriter, r *http.Request, why Rejection)
