package probe

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"

	"spangate/handler/fault"
)

// checkTCP returns a check that is content with a connection to the URL's
// authority, or, when it is not empty, to address: host:port, or the path of a
// Unix socket.
func checkTCP(address string) Check {
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

// checkConnection returns a check that is content when connect is, whose errors are
// *[fault.Error].
func checkConnection(connect Check) Check {
	return func(ctx context.Context, u *url.URL) error {
		if err := connect(ctx, u); err != nil {
			return fmt.Errorf("probing %s: %w", u.Host, err)
		}
		return nil
	}
}

// dialFailure names why there is no connection.
func dialFailure(err error) string {
	if fault.Exhausted(err) {
		return exhausted
	}
	return string(fault.OfConnect(err, fault.ConnectError).Type)
}
