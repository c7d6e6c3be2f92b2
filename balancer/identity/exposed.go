package identity

import (
	"net/netip"
	"slices"
	"strings"
)

// Exposure is how far what is sent to a host in the clear gets.
type Exposure int

// The exposures.
const (
	ThisHost Exposure = iota // no farther than this machine
	Private                  // a network that only its own machines are on
	Public                   // anybody's
)

// private are the domains that lead into networks of one's own: the one that is reserved
// for them, and those of Fly.io, Kubernetes, multicast DNS and homes.
var private = []string{"internal", "flycast", "svc", "cluster.local", "local", "lan", "home.arpa"}

// Exposed returns how far what is sent in the clear to a host, a name or an address, gets.
// What a name leads to is not looked up.
func Exposed(host string) Exposure {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		switch addr = addr.Unmap(); {
		case addr.IsLoopback():
			return ThisHost
		case addr.IsPrivate(), addr.IsLinkLocalUnicast():
			return Private
		}
		return Public
	}
	within := func(domain string) bool { return strings.HasSuffix(host, "."+domain) }
	switch {
	case host == "localhost", within("localhost"):
		return ThisHost
	case !strings.Contains(host, "."), slices.ContainsFunc(private, within):
		return Private
	}
	return Public
}
