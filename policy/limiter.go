package policy

import (
	"context"
	"time"
)

// Limiter decides whether one more request of a key may come in now, and counts
// it if so. It is safe for concurrent use.
//
// An error means that the store could not be asked. The Decision is then what
// stands in for its answer: when its Limit is set, another count decided;
// when it is zero, nobody counted, and Allowed alone says what happens.
type Limiter func(ctx context.Context, key Key) (Decision, error)

// Key says whose requests are counted together. It has a fixed size, so that
// it can be passed on without allocating and costs the same to keep whatever
// the client sent.
type Key struct {
	// ID is the same in every instance for the same client, and two that are
	// the same cannot be constructed. It is not evenly distributed.
	ID [16]byte
	// Source says what the key was made of, such as client-ip: a word of the
	// configuration, never of the request. It is no part of the identity.
	Source string
}

// Decision is what a [Limiter] says of one request, by the limit that leaves
// the least of all that apply: of those that refuse it, the one that does so
// longest, else the one with the smallest share remaining.
type Decision struct {
	Allowed    bool
	Limit      Limit         // the one that decided, as configured
	Remaining  int64         // requests that it would let in now
	Reset      time.Duration // until all of Limit's burst may be had again
	RetryAfter time.Duration // until the next request may come in; 0 when allowed
	Store      Store         // who keeps the count
}

// Store names where a limit's count is kept.
type Store string

// The stores.
const (
	StoreMemory Store = "memory" // this instance's, its own limit
	StoreRedis  Store = "redis"  // shared by all instances
	StoreLocal  Store = "local"  // this instance's share, while the shared one is away
)
