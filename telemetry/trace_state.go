package telemetry

import "go.opentelemetry.io/otel/trace"

// What is passed on of tracestate, in characters: as much as everybody must
// (W3C Trace Context, section 3.3.1.5), and no more. What is longer than
// longEntry goes first.
const (
	longestTraceState = 512
	longEntry         = 128
)

// shortened returns what fits of a tracestate. The entries at its end are the
// oldest, and go before others.
func shortened(state trace.TraceState) trace.TraceState {
	if len(state.String()) <= longestTraceState {
		return state
	}
	var long, short []string // keys
	state.Walk(func(key, value string) bool {
		if len(key)+len("=")+len(value) > longEntry {
			long = append(long, key)
		} else {
			short = append(short, key)
		}
		return true
	})
	for _, keys := range [][]string{long, short} {
		for i := len(keys) - 1; i >= 0 && len(state.String()) > longestTraceState; i-- {
			state = state.Delete(keys[i])
		}
	}
	return state
}
