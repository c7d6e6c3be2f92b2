package tracecontext

import (
	"context"
	"net/textproto"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// What is passed on of a caller's trace state: in characters as much as everybody must,
// and no more (W3C Trace Context, section 3.3.1.5), and so many members.
const (
	LongestState = 512
	mostMembers  = 32
)

// readState returns the members of the tracestate that came in these lines, without
// those that are empty or have a key that was there already. Keys that the propagator
// does not know the grammar of, as they may have several @ or begin with a digit (W3C
// Trace Context Level 2, section 3.3.1.3.1), would have it refuse all: read is without
// those, and members nil where there are none. A list that cannot be parsed says
// nothing.
func readState(lines []string) (read string, members []string) {
	all := strings.Join(lines, ",")
	var keys [mostMembers]string
	n, inOrder, unread := 0, true, false
	for member := range strings.SplitSeq(all, ",") {
		member = textproto.TrimString(member)
		if member == "" {
			inOrder = false
			continue
		}
		key, value, _ := strings.Cut(member, "=")
		if n == mostMembers || !isKey(key) || !isValue(value) {
			return "", nil
		}
		if slices.Contains(keys[:n], key) {
			inOrder = false
		}
		unread = unread || !isOldKey(key)
		keys[n] = key
		n++
	}
	if inOrder && !unread {
		return all, nil
	}
	var readable []string
	for member := range strings.SplitSeq(all, ",") {
		member = textproto.TrimString(member)
		if member == "" || slices.ContainsFunc(members, func(earlier string) bool { return keyOf(earlier) == keyOf(member) }) {
			continue
		}
		members = append(members, member)
		if isOldKey(keyOf(member)) {
			readable = append(readable, member)
		}
	}
	if !unread {
		members = nil
	}
	return strings.Join(readable, ","), members
}

func keyOf(member string) string {
	key, _, _ := strings.Cut(member, "=")
	return key
}

func isKey(key string) bool {
	for i, c := range []byte(key) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || i > 0 && strings.IndexByte("_-*/@", c) >= 0) {
			return false
		}
	}
	return key != "" && len(key) <= 256
}

// isOldKey reports whether a key is one of Level 1 too: a name that begins with a
// letter, or TENANT@SYSTEM.
func isOldKey(key string) bool {
	tenant, system, ok := strings.Cut(key, "@")
	if !ok {
		return !isDigit(key[0])
	}
	return len(tenant) <= 241 && len(system) <= 14 && system != "" && 'a' <= system[0] && system[0] <= 'z' && !strings.Contains(system, "@")
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isValue(value string) bool {
	for _, c := range []byte(value) {
		if c < ' ' || c > '~' || c == '=' {
			return false
		}
	}
	return value != "" && len(value) <= 256
}

// Members returns the trace state of the caller whose span ctx has, if there is more to
// it than that span tells, for [Rejoin].
func Members(ctx context.Context) []string {
	c, _ := trace.SpanFromContext(ctx).(caller)
	return c.members
}

// Rejoin returns the trace state that is told, together with those members of the
// caller's that could not be read. Each stands where it stood, as far as what stood
// after it is still there; what is too much is left out, the oldest first.
func Rejoin(told string, members []string) string {
	var list []string
	length := len(told)
	if told != "" {
		list = strings.Split(told, ",")
		length++
	}
	n := len(list)
	fits := make(map[string]bool)
	for _, member := range members {
		if !isOldKey(keyOf(member)) && n < mostMembers && length+len(member) <= LongestState {
			fits[member] = true
			length += len(member) + len(",")
			n++
		}
	}
	at := len(list)
	for _, member := range slices.Backward(members) {
		if fits[member] {
			list = slices.Insert(list, at, member)
		} else if i := slices.Index(list[:at], member); i >= 0 {
			at = i
		}
	}
	return strings.Join(list, ",")
}
