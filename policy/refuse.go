package policy

import (
	"net/http"

	"spangate/handler/fault"
)

// Refuse answers a request that a policy refuses. What the policy has put into
// the header of the response, such as Retry-After, stays there.
type Refuse func(w http.ResponseWriter, r *http.Request, why fault.Refusal)
