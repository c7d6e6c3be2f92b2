package telemetry

import (
	"net"
	"strconv"
	"strings"
)

// splitHost returns host and port of an authority, with the scheme's port where
// it names none.
func splitHost(authority, scheme string) (string, int) {
	if host, port, err := net.SplitHostPort(authority); err == nil {
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
