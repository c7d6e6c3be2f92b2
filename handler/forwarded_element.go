package handler

import (
	"net/netip"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// forwardedElement is what one hop says in Forwarded, RFC 7239 §4. The values
// are as they were written, those in quotes with them, and empty where the hop
// says nothing.
type forwardedElement struct{ node, by, host, proto string }

// cutLastElement cuts what stands behind the last comma outside of quotes. It
// finds that of a well-formed element whatever stands before it.
func cutLastElement(s string) (before, element string, found bool) {
	quoted := false
	for i := len(s) - 1; i >= 0; i-- {
		switch {
		case s[i] == '"' && !(quoted && escaped(s[:i])):
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return s[:i], s[i+1:], true
		}
	}
	return "", s, false
}

// escaped reports whether what follows s in a quoted string is escaped: s ends
// in an odd number of backslashes.
func escaped(s string) bool {
	return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1
}

// parseElement parses one element, without white space around it, by the
// letter: nothing around the signs, no parameter twice.
func parseElement(s string) (e forwardedElement, ok bool) {
	for more := true; more; {
		if s == "" || s[0] == ';' { // the grammar admits pairs that are not there
			s, more = strings.CutPrefix(s, ";")
			continue
		}
		name, rest, found := strings.Cut(s, "=")
		if !found || !httpguts.ValidHeaderFieldName(name) { // both are tokens
			return e, false
		}
		end := valueEnd(rest)
		if end <= 0 || end < len(rest) && rest[end] != ';' {
			return e, false
		}
		value := rest[:end]
		if field := e.field(name); field != nil {
			if *field != "" {
				return e, false
			}
			*field = value
		}
		s, more = strings.CutPrefix(rest[end:], ";")
	}
	return e, true
}

// field returns where the parameter of that name is kept, nil for extensions.
func (e *forwardedElement) field(name string) *string {
	switch {
	case strings.EqualFold(name, "for"):
		return &e.node
	case strings.EqualFold(name, "by"):
		return &e.by
	case strings.EqualFold(name, "host"):
		return &e.host
	case strings.EqualFold(name, "proto"):
		return &e.proto
	}
	return nil
}

// valueEnd returns where the token or quoted string that s begins with ends, or
// 0 when there is none.
func valueEnd(s string) int {
	if s == "" || s[0] != '"' {
		end := 0
		for end < len(s) && httpguts.IsTokenRune(rune(s[end])) {
			end++
		}
		return end
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i++; i == len(s) || isControl(s[i]) {
				return 0
			}
		case isControl(c):
			return 0
		}
	}
	return 0
}

func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }

// unquote returns what a token or quoted string that valueEnd accepted stands
// for.
func unquote(s string) string {
	if s == "" || s[0] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// parseNode returns the address of a node, RFC 7239 §6: it has none when it is
// unknown, or hidden behind a name.
func parseNode(value string) (netip.Addr, bool) {
	node := unquote(value)
	if node == "" {
		return netip.Addr{}, false
	}
	var address, port string
	six := node[0] == '['
	if six {
		var closed bool
		if address, port, closed = strings.Cut(node[1:], "]"); !closed {
			return netip.Addr{}, false
		}
	} else if colon := strings.IndexByte(node, ':'); colon >= 0 {
		address, port = node[:colon], node[colon:]
	} else {
		address = node
	}
	if port != "" && (port[0] != ':' || !isPort(port[1:]) && !isHidden(port[1:])) {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Is6() != six || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// isHidden reports whether s is a name that stands for a node or port that its
// hop does not tell.
func isHidden(s string) bool {
	return len(s) > 1 && s[0] == '_' && !strings.ContainsFunc(s[1:], func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
	})
}
