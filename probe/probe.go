// Package probe answers: is this backend fit to serve?
//
// A [Check] asks once; [Await] asks until the answer is yes.
package probe

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/sethvargo/go-retry"
)

// Check asks the backend at u once, within ctx. A nil error means that it is
// fit to serve. Checks are safe for concurrent use.
type Check func(ctx context.Context, u *url.URL) error

// TCP returns a check that is content with a connection to the URL's
// authority, or to the Unix socket at socket when that is not empty.
func TCP(socket string) Check {
	return func(ctx context.Context, u *url.URL) error {
		network, addr := "tcp", u.Host
		if socket != "" {
			network, addr = "unix", socket
		} else if u.Port() == "" {
			addr = net.JoinHostPort(u.Hostname(), u.Scheme) // a service name: http, https
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return fmt.Errorf("probing %s: %w", addr, err)
		}
		return conn.Close()
	}
}

// Waits between the questions of Await.
const (
	firstWait = 100 * time.Millisecond
	maxWait   = 10 * time.Second
)

// Await asks the backend at u until it is fit, each time for at most timeout
// and with growing waits between. It returns nil then, or the last answer when
// ctx is done first.
func Await(ctx context.Context, check Check, u *url.URL, timeout time.Duration) error {
	backoff := retry.WithJitterPercent(10, retry.WithCappedDuration(maxWait, retry.NewFibonacci(firstWait)))
	var last error
	err := retry.Do(ctx, backoff, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		last = check(ctx, u)
		return retry.RetryableError(last)
	})
	if err != nil && last != nil {
		return last
	}
	return err
}
