package admin

import (
	"time"

	"spangate/balancer"
	"spangate/handler/certificate"
	"spangate/policy"
	"spangate/telemetry/export"
)

// Snapshot is what the status says of this instance.
type Snapshot struct {
	Backends    []Backend       `json:"backends"`
	Routes      []Route         `json:"routes,omitempty"` // in the order in which they match; none without ROUTES
	RateLimit   *RateLimit      `json:"rate_limit,omitempty"`
	Concurrency *Concurrency    `json:"concurrency,omitempty"`
	Telemetry   []export.Status `json:"telemetry,omitempty"`

	Certificates []certificate.Info `json:"certificates,omitempty"`
}

// Route is what there is of one.
type Route struct {
	Name        string       `json:"name"`
	Match       []string     `json:"match"`              // its patterns
	Backends    []string     `json:"backends,omitempty"` // names of those above
	RateLimit   *RateLimit   `json:"rate_limit,omitempty"`
	Concurrency *Concurrency `json:"concurrency,omitempty"`
	Canary      *Canary      `json:"canary,omitempty"`
	Mirror      *Mirror      `json:"mirror,omitempty"`
}

// Canary is how the backends of a new version do.
type Canary struct {
	Backends []string              `json:"backends"` // names of those above
	State    balancer.CanaryState  `json:"state"`
	Share    float64               `json:"share"` // of the requests, that it has now: from 0 to 1
	Since    time.Time             `json:"since"`
	Why      balancer.CanaryReason `json:"because,omitempty"` // it came to that state, unless it began so
}

// Mirror is how the backends do that get copies.
type Mirror struct {
	Backends []string `json:"backends"` // names of those above
	Share    float64  `json:"share"`    // of the requests, that is copied: from 0 to 1
	Running  int64    `json:"running"`
	Waiting  int64    `json:"waiting"`
	Memory   int64    `json:"memory_bytes"`
	Sent     int64    `json:"sent"`
	Dropped  int64    `json:"dropped"`
}

// Backend is how one does.
type Backend struct {
	Name    string         `json:"name"`
	Address string         `json:"address,omitempty"` // of a member of a name
	Routes  []string       `json:"routes,omitempty"`  // that have it; another of its name may be probed, or used, in another way
	State   balancer.State `json:"state"`
	Serves  bool           `json:"serves"` // it may be picked: also one that is ejected, when no other may, and any below PANIC_THRESHOLD
	Active  int64          `json:"active_requests"`

	WithoutToken string            `json:"without_token_because,omitempty"` // it gets no requests as long as that lasts
	Certificate  *certificate.Info `json:"certificate,omitempty"`           // that it showed last
}

// RateLimit is how many clients are counted, and where.
type RateLimit struct {
	Keys      int          `json:"keys"`
	Store     policy.Store `json:"store,omitempty"` // who decides now; none with RATE_LIMIT_ON_STORE_ERROR=allow or deny
	Instances int          `json:"instances,omitempty"`
	Since     *time.Time   `json:"degraded_since,omitempty"`
	Why       string       `json:"degraded_because,omitempty"`
}

// Concurrency is how many requests are handled, and how many wait.
type Concurrency struct {
	Active int64 `json:"active"`
	Queued int64 `json:"queued"`
}
