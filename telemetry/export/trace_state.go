package export

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/tracecontext"
)

// The member of a trace state that is OpenTelemetry's own, and what it says of
// sampling: th, the threshold that a trace has passed, and rv, a random number
// that goes before that of its identifier.
const (
	otKey        = "ot"
	thresholdKey = "th"
	randomKey    = "rv"
)

// otOf returns what the ot of a trace state says. One that is malformed says nothing.
func otOf(state trace.TraceState) (th, rv string) {
	th, rv, _ = parseOT(state.Get(otKey))
	return th, rv
}

// parseOT reads a list KEY:VALUE;KEY:VALUE of which no key stands twice.
func parseOT(list string) (th, rv string, ok bool) {
	for more := list != ""; more; {
		var member string
		member, list, more = strings.Cut(list, ";")
		key, value, found := strings.Cut(member, ":")
		if !found || !isOTKey(key) || !isOTValue(value) || strings.HasPrefix(list, key+":") || strings.Contains(list, ";"+key+":") {
			return "", "", false
		}
		switch key {
		case thresholdKey:
			th = value
		case randomKey:
			rv = value
		}
	}
	return th, rv, true
}

func isOTKey(key string) bool {
	for i, c := range []byte(key) {
		if !('a' <= c && c <= 'z' || i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return key != ""
}

func isOTValue(value string) bool {
	for _, c := range []byte(value) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// withThreshold returns state with th, which may be empty for none. What else ot says
// stays as it is, but goes when it is malformed; where th has no room there is none.
func withThreshold(state trace.TraceState, th string) trace.TraceState {
	ot := state.Get(otKey)
	if ot == "" && th == "" {
		return state
	}
	var members []string
	if _, _, ok := parseOT(ot); ok {
		members = slices.DeleteFunc(strings.Split(ot, ";"), func(member string) bool {
			return member == "" || strings.HasPrefix(member, thresholdKey+":")
		})
	}
	others := strings.Join(members, ";")
	if th != "" {
		if told, err := state.Insert(otKey, strings.Join(append(members, thresholdKey+":"+th), ";")); err == nil {
			return told
		}
	}
	if others == ot {
		return state
	}
	if told, err := state.Insert(otKey, others); err == nil {
		return told
	}
	return state.Delete(otKey) // empty
}

// longEntry is the length from which an entry of a trace state that is too long goes
// before others (W3C Trace Context, section 3.3.1.5).
const longEntry = 128

// shortened returns what fits of state. The entries at its end are the oldest, and go
// before others; ot stays.
func shortened(state trace.TraceState) trace.TraceState {
	length := -len(",")
	var long, short []string // keys
	state.Walk(func(key, value string) bool {
		n := len(key) + len("=") + len(value)
		length += len(",") + n
		return true
	})
	if length <= tracecontext.LongestState {
		return state
	}
	state.Walk(func(key, value string) bool {
		switch {
		case key == otKey:
		case len(key)+len("=")+len(value) > longEntry:
			long = append(long, key)
		default:
			short = append(short, key)
		}
		return true
	})
	for _, keys := range [][]string{long, short} {
		for i := len(keys) - 1; i >= 0 && length > tracecontext.LongestState; i-- {
			length -= len(",") + len(keys[i]) + len("=") + len(state.Get(keys[i]))
			state = state.Delete(keys[i])
		}
	}
	return state
}
