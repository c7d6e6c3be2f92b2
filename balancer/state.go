package balancer

import "time"

// State is what the proxy thinks of a backend.
type State string

// The states of a backend. An unknown one may be used: it has not been judged.
const (
	Unknown  State = "unknown"  // no verdict yet
	Ready    State = "ready"    // probed, and fit
	Down     State = "down"     // probed, and not fit
	Ejected  State = "ejected"  // failed too many requests in a row; comes back by itself, and serves while no other may
	Draining State = "draining" // left the configuration or its name; finishes what it has
)

// States lists all states.
var States = []State{Unknown, Ready, Down, Ejected, Draining}

// StateChange says that a backend went from one state to another.
type StateChange struct {
	Backend  *Backend
	From, To State
	Reason   Reason
	Err      error    // what the probe met with, or the last request that failed; or nil
	Ejection Ejection // of a change to Ejected
}

// Ejection says for how long a backend is left out, and why.
type Ejection struct {
	For      time.Duration
	Failures int   // of requests in a row, that led to it
	Err      error // the last of them
}

// Reason names why a backend's state changed.
type Reason string

// The reasons.
const (
	ProbeSucceeded Reason = "probe_succeeded"
	ProbeFailed    Reason = "probe_failed"
	Outlier        Reason = "outlier"        // failed too many requests in a row
	EjectionEnded  Reason = "ejection_ended" // by time
	LeftDiscovery  Reason = "left"           // its name no longer leads to it
)
