package telemetry

import "spangate/handler/config"

// tracedProbes says which probes have a span.
type tracedProbes string

// Which can have one. The zero value counts as probesAll.
const (
	probesAll     tracedProbes = "all"
	probesFailed  tracedProbes = "failed"  // and those that led to a change of a backend's state
	probesChanges tracedProbes = "changes" // those alone
)

// UnmarshalText parses the name of a choice.
func (p *tracedProbes) UnmarshalText(text []byte) error {
	return config.OneOf(p, text, probesAll, probesFailed, probesChanges)
}

// atOnce reports whether a probe that ended with err has a span whatever comes of
// it.
func (p tracedProbes) atOnce(err error) bool {
	return p != probesChanges && (p != probesFailed || err != nil)
}

// tracedDecisions says which decisions of the rate limit have a span.
type tracedDecisions string

// Which can have one. The zero value counts as decisionsAll.
const (
	decisionsAll    tracedDecisions = "all"
	decisionsDenied tracedDecisions = "denied" // all but those that let a request in
)

// UnmarshalText parses the name of a choice.
func (d *tracedDecisions) UnmarshalText(text []byte) error {
	return config.OneOf(d, text, decisionsAll, decisionsDenied)
}
