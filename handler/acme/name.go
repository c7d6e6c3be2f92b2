package acme

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/net/idna"
)

// Name is the exact name of a host, in lower case and ASCII, with no dot behind it.
type Name string

// UnmarshalText accepts the name of a host; one in other letters than ASCII's
// becomes what DNS calls it.
func (n *Name) UnmarshalText(text []byte) error {
	s := strings.TrimSuffix(string(text), ".")
	if s == "" {
		return errors.New("must have a name between its commas")
	}
	if strings.HasPrefix(s, "*") {
		return errors.New("must have no wildcard: neither HTTP-01 nor TLS-ALPN-01 can prove it; list the names, or give a certificate as files")
	}
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return errors.New("must have names, not addresses: a client tells a name in its handshake, but no address")
	}
	ascii, err := idna.Lookup.ToASCII(s)
	if err != nil || len(ascii) > 253 || !hostName.MatchString(ascii) {
		return errors.New("must be names of hosts, without scheme, port or path")
	}
	*n = Name(ascii)
	return nil
}

// hostName is that of RFC 1123, section 2.1.
var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// named returns the configured name that a client means by what it sent as a
// host's name: letters of any case, and perhaps a dot at the end.
func named(host string) Name { return Name(strings.ToLower(strings.TrimSuffix(host, "."))) }
