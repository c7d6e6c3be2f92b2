package balancer

import (
	"math"
	"strings"
	"unicode"
)

// longestLabel is how long a label of a name in DNS can be, RFC 1035 §2.3.4.
const longestLabel = 63

// isHostName reports whether a lookup could find name. It may have letters of any
// script, which net/http encodes for the lookup, and a dot at its end.
func isHostName(name string) bool {
	return isDotted(strings.TrimSuffix(name, "."), math.MaxInt, func(r rune) bool {
		return r == '_' || r == '-' || unicode.In(r, unicode.L, unicode.M, unicode.N)
	})
}

// isTarget reports whether name, in lower case, is one of a server, with the
// underscores that some have.
func isTarget(name string) bool {
	return isDotted(name, longestLabel, func(r rune) bool {
		return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_' || r == '-'
	})
}

// isEchoName reports whether a built-in backend may be called name.
func isEchoName(name string) bool {
	return name != "" && len(name) <= 63 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

// isDotted reports whether name is labels with dots between them, each of at least
// one character, at most longest bytes, and nothing that may not be in one.
func isDotted(name string, longest int, may func(rune) bool) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > longest || strings.ContainsFunc(label, func(r rune) bool { return !may(r) }) {
			return false
		}
	}
	return true
}
