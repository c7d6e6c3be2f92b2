package console

import (
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

type (
	traceID [16]byte
	spanID  [8]byte
)

func (id traceID) String() string { return hex.EncodeToString(id[:]) }

// short is enough of an id to find the trace by, in the log too.
func (id traceID) short() string { return id.String()[:8] }

// span is what is shown of one.
type span struct {
	trace      traceID
	id, parent spanID
	isRoot     bool // its parent, if it has one, is another program's
	name       string
	kind       string
	start, end uint64 // nanoseconds of Unix time
	failed     bool
	attributes []attribute // those that are shown
	links      []link
}

type attribute struct{ key, value string }

type link struct {
	trace traceID
	id    spanID
}

// telling are the attributes that are shown of spans, in that order, by the spans' kinds,
// or by the names of internal ones. Of others all are.
var telling = map[string][]string{
	"SERVER": {
		"url.path", "http.response.status_code", "error.type", "spangate.grpc.status", "spangate.backend", "spangate.retry.stop_reason",
		"spangate.policy.rejection", "spangate.policy.reason", "spangate.concurrency.wait", "spangate.upgrade.closed_by", "spangate.upgrade.close_reason", "spangate.upgrade.farewell", "spangate.sampling.reason",
	},
	"CLIENT":               {"http.response.status_code", "error.type", resends, "spangate.backend", "spangate.backend.address", "user_agent.synthetic.type"},
	"rate_limit":           {"spangate.rate_limit.result", "spangate.rate_limit.policy", "spangate.rate_limit.remaining", "spangate.rate_limit.key_source", "error.type"},
	"retry":                {"spangate.retry.reason", "spangate.retry.delay", "spangate.retry.attempt", "error.type"},
	"probe":                {"error.type", "spangate.backend", "spangate.probe.type", "spangate.probe.result", "spangate.probe.trigger"},
	"backend_state_change": {"spangate.backend", "spangate.backend.state", "spangate.backend.reason", "spangate.backend.error_type"},
}

const resends = "http.request.resend_count"

// untold are values that are not worth a word: they are usual, or said already.
var untold = map[string]string{
	"spangate.retry.stop_reason": "success", "spangate.retry.delay": "0", "spangate.probe.result": "failure", "spangate.probe.trigger": "timer",
}

// kinds are the numbers' names.
var kinds = [...]string{"", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"}

const parentIsRemote = 1 << 9 // of the flags

// readSpan reads a Span. It keeps nothing of m.
func readSpan(m message) *span {
	s := &span{}
	var remote bool
	var attributes []message
	for f := range m.fields {
		switch f.number {
		case 1:
			copy(s.trace[:], f.bytes)
		case 2:
			copy(s.id[:], f.bytes)
		case 4:
			copy(s.parent[:], f.bytes)
		case 5:
			s.name = visible(f.bytes)
		case 6:
			s.kind = kinds[min(f.bits, uint64(len(kinds)-1))]
		case 7:
			s.start = f.bits
		case 8:
			s.end = f.bits
		case 9:
			attributes = append(attributes, f.bytes)
		case 13:
			s.links = append(s.links, readLink(f.bytes))
		case 15:
			s.failed = isError(f.bytes)
		case 16:
			remote = f.bits&parentIsRemote != 0
		}
	}
	s.isRoot = remote || s.parent == spanID{}
	keys, known := telling[s.kind]
	if !known {
		keys = telling[s.name]
	}
	s.attributes = readAttributes(attributes, keys)
	return s
}

func readLink(m message) (l link) {
	for f := range m.fields {
		switch f.number {
		case 1:
			copy(l.trace[:], f.bytes)
		case 2:
			copy(l.id[:], f.bytes)
		}
	}
	return l
}

func isError(status message) bool {
	for f := range status.fields {
		if f.number == 3 && f.bits == 2 {
			return true
		}
	}
	return false
}

// readAttributes reads those of the keys, in that order, or else all, and what went
// wrong first.
func readAttributes(all []message, keys []string) (attributes []attribute) {
	for _, kv := range all {
		var key string
		var value message
		for f := range kv.fields {
			switch f.number {
			case 1:
				key = string(f.bytes)
			case 2:
				value = f.bytes
			}
		}
		if keys != nil && !slices.Contains(keys, key) {
			continue
		}
		text := readValue(value)
		if usual, is := untold[key]; is && text == usual {
			continue
		}
		attributes = append(attributes, attribute{visible([]byte(key)), shown(text)})
	}
	rank := func(a attribute) int {
		if keys == nil && a.key != "error.type" {
			return 1
		}
		return slices.Index(keys, a.key)
	}
	slices.SortStableFunc(attributes, func(a, b attribute) int { return rank(a) - rank(b) })
	return attributes
}

// readValue returns an AnyValue as text.
func readValue(m message) string {
	for f := range m.fields {
		switch f.number {
		case 1, 7:
			return string(f.bytes)
		case 2:
			return strconv.FormatBool(f.bits != 0)
		case 3:
			return strconv.FormatInt(int64(f.bits), 10)
		case 4:
			return strconv.FormatFloat(math.Float64frombits(f.bits), 'g', 6, 64)
		case 5, 6:
			var elements []string
			for e := range message(f.bytes).fields {
				elements = append(elements, readElement(f.number == 6, e.bytes))
			}
			return strings.Join(elements, ",")
		}
	}
	return ""
}

// readElement returns one of an array, or of a map, as text.
func readElement(ofMap bool, m message) string {
	if !ofMap {
		return readValue(m)
	}
	all := readAttributes([]message{m}, nil)
	return all[0].key + ":" + all[0].value
}

func (s *span) value(key string) string {
	for _, a := range s.attributes {
		if a.key == key {
			return a.value
		}
	}
	return ""
}

// took returns how long the span lasted, as text.
func (s *span) took() string {
	d := max(time.Duration(s.end-s.start), 0)
	if d >= 10*time.Second {
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64) + " ms"
}
