package wire

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
)

// Host is what to listen on: an IP address, without brackets, or the name of
// one. The zero value is all addresses.
type Host string

var hostName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$`)

// UnmarshalText parses a host. A name of digits and dots alone is refused,
// which is an address with a slip in it rather than one to look up.
func (h *Host) UnmarshalText(text []byte) error {
	s := string(text)
	bare, open := strings.CutPrefix(s, "[")
	bare, closed := strings.CutSuffix(bare, "]")
	addr, err := netip.ParseAddr(bare)
	isAddress := err == nil && open == closed && (!open || addr.Is6())
	isName := hostName.MatchString(s) && strings.Trim(s, "0123456789.") != ""
	if !isAddress && !isName {
		return errors.New("must be an IP address or a host name")
	}
	*h = Host(bare)
	return nil
}
