package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"

	"spangate/handler/fault"
)

// TCP returns a check that is content with a connection to the URL's
// authority, or, when it is not empty, to address: host:port, or the path of a
// Unix socket.
func TCP(address string) Check {
	return func(ctx context.Context, u *url.URL) error {
		network, addr := "tcp", u.Host
		if strings.HasPrefix(address, "/") {
			network, addr = "unix", address
		} else if address != "" {
			addr = address
		} else if u.Port() == "" {
			addr = net.JoinHostPort(u.Hostname(), u.Scheme) // a service name: http, https
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return fmt.Errorf("probing %s: %w", addr, &failure{dialFailure(err), err})
		}
		return conn.Close()
	}
}

// dialFailure names why there is no connection.
func dialFailure(err error) string {
	_, isDNS := errors.AsType[*net.DNSError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case fault.Exhausted(err):
		return exhausted
	case isDNS:
		return "dns_error"
	case isNet && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "connect_timeout"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT): // ENOENT: no such Unix socket
		return "connection_refused"
	}
	return "connect_error"
}
