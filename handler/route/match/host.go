package match

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// maxHost is the length of a name of DNS (RFC 1035 §2.3.4), with a dot behind it.
const maxHost = 254

// parseHost parses the host of a pattern. That of a wildcard begins with a dot.
func parseHost(text string) (host string, wildcard bool, err error) {
	host, wildcard = strings.CutPrefix(strings.ToLower(text), "*")
	bare, open := strings.CutPrefix(host, "[")
	bare, closed := strings.CutSuffix(bare, "]")
	addr, notAddr := netip.ParseAddr(bare)
	switch {
	case text == "":
		return "", false, nil
	case host == "":
		return "", false, errors.New("has * for a host; any host is none")
	case open && closed && !wildcard && notAddr == nil && addr.Is6() && addr.Zone() == "":
		return "[" + addr.String() + "]", false, nil
	case strings.Contains(host, ":"):
		return "", false, fmt.Errorf("has %q for a host, which has no port and is in brackets if it is of IPv6", text)
	case wildcard != (host[0] == '.'), strings.Contains(host, "*"):
		return "", false, fmt.Errorf("has %q for a host; a wildcard is *.example.com", text)
	case strings.HasSuffix(host, "."):
		return "", false, fmt.Errorf("has %q for a host; leave out the dot at its end", text)
	case len(host) >= maxHost || !isHostName(strings.TrimPrefix(host, ".")):
		return "", false, fmt.Errorf("has %.100q for a host, which is no name; one of other letters is written as xn--", text)
	}
	return host, wildcard, nil
}

// isHostName reports whether name is labels with a dot between them.
func isHostName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// sites returns where to look first for what takes requests for host, and where those
// would look who make nothing of the dot at its end; nil if there is none.
func (w *walk) sites(host string) (at, other *site, ok bool) {
	name, ok := w.name(host)
	if !ok {
		return nil, nil, false
	}
	at = w.table.site(name)
	if bare := bytes.TrimSuffix(name, []byte(".")); len(bare) < len(name) {
		other = w.table.site(bare)
	}
	return at, other, true
}

// name returns the host that a request asks for in the form in which the table has
// them: in lower case, without a port, and IPv6 as RFC 5952 has it. It is not ok where
// it is nothing of which all servers would make the same. A dot at the end stays.
func (w *walk) name(host string) (name []byte, ok bool) {
	if !w.table.namesHosts {
		return nil, true
	}
	if strings.HasPrefix(host, "[") {
		literal, port, closed := strings.Cut(host[1:], "]")
		port, isPort := strings.CutPrefix(port, ":")
		if !closed || !isPort && port != "" || strings.Trim(port, "0123456789") != "" || len(literal) > maxIPv6 {
			return nil, false
		}
		addr, err := netip.ParseAddr(literal)
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return nil, false
		}
		return append(addr.AppendTo(append(w.host[:0], '[')), ']'), true
	}
	if colon := strings.IndexByte(host, ':'); colon >= 0 {
		if strings.Trim(host[colon+1:], "0123456789") != "" {
			return nil, false
		}
		host = host[:colon]
	}
	if len(host) > maxHost {
		return nil, false
	}
	for i := range len(host) {
		c := host[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if !inHost[c] || c == '.' && (i == 0 || host[i-1] == '.') {
			return nil, false
		}
		w.host[i] = c
	}
	return w.host[:len(host)], true
}

const maxIPv6 = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

var inHost = func() (set [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyz0123456789-_." {
		set[c] = true
	}
	return set
}()
