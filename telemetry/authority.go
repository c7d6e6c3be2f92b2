package telemetry

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// addressText keeps the text of one address for those that come again. The zero value
// keeps none. It is safe for concurrent use.
type addressText struct {
	latest atomic.Pointer[writtenAddress]
}

type writtenAddress struct {
	ip         net.IP
	zone, text string
}

func (t *addressText) text(address *net.TCPAddr) string {
	if latest := t.latest.Load(); latest != nil && latest.ip.Equal(address.IP) && latest.zone == address.Zone {
		return latest.text
	}
	w := &writtenAddress{slices.Clone(address.IP), address.Zone, address.AddrPort().Addr().Unmap().String()}
	t.latest.Store(w)
	return w.text
}

// splitHost returns host and port of an authority, with the scheme's port where
// it names none.
func splitHost(authority, scheme string) (string, int) {
	if strings.IndexByte(authority, ':') < 0 {
		// There is none, and SplitHostPort would take memory to say so.
	} else if host, port, err := net.SplitHostPort(authority); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			return host, int(n)
		}
	}
	if strings.HasPrefix(authority, "[") && strings.HasSuffix(authority, "]") {
		authority = authority[1 : len(authority)-1] // an IPv6 address, as where it has a port
	}
	if scheme == "https" {
		return authority, 443
	}
	return authority, 80
}
