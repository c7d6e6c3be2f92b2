package probe

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"spangate/handler/fault"
)

// maxDrained bounds what is read of a body, in bytes. Nothing looks at it, but
// a connection that is closed over an unread body looks to the backend as if
// its client had broken off.
const maxDrained = 64 << 10

// checkHTTP returns a check that gets path, which may have a query, and is content
// with a status in the set. The Host header is host, or u's authority when that
// is empty. Redirects are not followed: they are statuses like others.
//
// Each probe makes a connection of its own, since that is what is in doubt: an
// idle one proves little, and may have died while this process was suspended.
// rt should share no connections with traffic, or a busy backend's limit of
// them would keep probes waiting until they fail.
func checkHTTP(rt http.RoundTripper, host, path string, statuses StatusSet) Check {
	return func(ctx context.Context, u *url.URL) error {
		req, err := request(ctx, u, http.MethodGet, host, path)
		if err != nil {
			return fmt.Errorf("probing %s: %w", path, err)
		}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			return fmt.Errorf("probing %s: %w", req.URL, err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusSwitchingProtocols { // whose body no context ends
			_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxDrained))
		}
		switch {
		case !statuses.Contains(resp.StatusCode):
			code := strconv.Itoa(resp.StatusCode)
			return fmt.Errorf("probing %s: %w", req.URL, &failure{code, fmt.Errorf("status %s", code)})
		case err != nil:
			return fmt.Errorf("probing %s: %w", req.URL, brokenOff(ctx, err))
		}
		return nil
	}
}

// brokenOff returns the error of a body that could not be read to its end.
func brokenOff(ctx context.Context, err error) error {
	kind := "backend_reset"
	switch {
	case fault.Exhausted(err):
		kind = exhausted
	case ctx.Err() != nil:
		kind = "timeout"
	}
	return &failure{kind, fmt.Errorf("reading the body: %w", err)}
}

// request returns a probe's request for path at u's authority, over a
// connection that is not used again.
func request(ctx context.Context, u *url.URL, method, host, path string) (*http.Request, error) {
	target, err := url.ParseRequestURI(path)
	if err != nil {
		return nil, err
	}
	target.Scheme, target.Host = u.Scheme, u.Host
	req := &http.Request{
		Method: method, URL: target, Host: host, Close: true,
		Header: http.Header{"User-Agent": {userAgent}},
	}
	return req.WithContext(ctx), nil
}
