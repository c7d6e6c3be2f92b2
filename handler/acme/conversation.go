package acme

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"spangate/handler/config"
	"spangate/handler/version"
)

// What an authority may take of us for one order.
const (
	requestTimeout = time.Minute
	orderTimeout   = 10 * time.Minute
	maxRequests    = 4000
	maxAnswer      = 1 << 20 // bytes
	maxPatience    = 24 * time.Hour
)

// transport returns what carries requests to the authority.
func (c *Config) transport() (http.RoundTripper, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	none := ""
	if err := (config.TLSFiles{Authorities: &c.CAFile, Certificate: &none, Key: &none}).Load(cfg); err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig:     cfg,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     10 * time.Second, // there is nothing to say for weeks
		ForceAttemptHTTP2:   true,
	}, nil
}

// conversation is all that is said to the authority for one order. It ends when the
// authority says when to come again: what is asked before is not sent.
type conversation struct {
	next http.RoundTripper

	mu       sync.Mutex
	requests int
	until    time.Time
}

// converse returns a client of the authority, whose requests are of one
// conversation.
func (c *Client) converse() (*acme.Client, *conversation) {
	talk := &conversation{next: c.transport}
	return &acme.Client{
		Directory:    string(c.cfg.CA),
		HTTPClient:   &http.Client{Transport: talk, Timeout: requestTimeout},
		UserAgent:    "spangate/" + version.Short(),
		PollInterval: 250 * time.Millisecond,
		PollTimeout:  orderTimeout,
	}, talk
}

// RoundTrip sends r unless the conversation has ended.
func (t *conversation) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	t.requests++
	requests, until := t.requests, t.until
	t.mu.Unlock()
	switch {
	case time.Now().Before(until):
		return nil, fmt.Errorf("the authority wants no requests before %v", until.Format(time.RFC3339))
	case requests > maxRequests:
		return nil, fmt.Errorf("the authority had %d requests and has not finished", maxRequests)
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		t.mu.Lock()
		t.until = comeAgain(resp.Header.Get("Retry-After"))
		t.mu.Unlock()
	}
	resp.Body = &boundedBody{resp.Body, maxAnswer}
	return resp, nil
}

// told returns when the authority said to come again; zero if it did not.
func (t *conversation) told() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.until
}

// comeAgain returns the time that a Retry-After field means (RFC 9110, section
// 10.2.3), zero if none. It is no later than a day from now: to ask once a day
// hurts nobody, and the field may be wrong.
func comeAgain(field string) time.Time {
	latest := time.Now().Add(maxPatience)
	if seconds, err := strconv.Atoi(field); err == nil && seconds >= 0 {
		return time.Now().Add(time.Duration(min(seconds, int(maxPatience/time.Second))) * time.Second)
	}
	at, err := http.ParseTime(field)
	switch {
	case err != nil:
		return time.Time{}
	case at.After(latest):
		return latest
	}
	return at
}

// boundedBody is a body of which no more than a few bytes are read.
type boundedBody struct {
	io.ReadCloser
	left int
}

var errTooLong = errors.New("the authority's answer is too long")

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
