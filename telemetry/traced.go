package telemetry

import "spangate/handler/config"

// TracedProbes says which probes have a span.
type TracedProbes string

// Which can have one. The zero value counts as ProbesAll.
const (
	ProbesAll     TracedProbes = "all"
	ProbesFailed  TracedProbes = "failed"  // and those that led to a change of a backend's state
	ProbesChanges TracedProbes = "changes" // those alone
)

// UnmarshalText parses the name of a choice.
func (p *TracedProbes) UnmarshalText(text []byte) error {
	return config.OneOf(p, text, ProbesAll, ProbesFailed, ProbesChanges)
}

// atOnce reports whether a probe that ended with err has a span whatever comes of
// it.
func (p TracedProbes) atOnce(err error) bool {
	return p != ProbesChanges && (p != ProbesFailed || err != nil)
}

// TracedDecisions says which decisions of the rate limit have a span.
type TracedDecisions string

// Which can have one. The zero value counts as DecisionsAll.
const (
	DecisionsAll    TracedDecisions = "all"
	DecisionsDenied TracedDecisions = "denied" // all but those that let a request in
)

// UnmarshalText parses the name of a choice.
func (d *TracedDecisions) UnmarshalText(text []byte) error {
	return config.OneOf(d, text, DecisionsAll, DecisionsDenied)
}
