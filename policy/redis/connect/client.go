// Package connect answers: which Redis is meant, and how is it reached?
package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"spangate/handler/config"
)

// Client is what is used of a client of Redis, of whatever kind.
type Client struct {
	Pipeline func() redis.Pipeliner
	Reach    func(context.Context) error // connects
	Close    func() error
}

// Endpoint are the addresses of fields that say where a Redis is, and of those that
// name files for TLS to it, or are empty.
type Endpoint struct {
	URL                       *URL
	CAFile, CertFile, KeyFile *string
}

// Dialer returns what makes clients, each of which connects when it is used and
// waits that long for each answer, or all that is wrong with the fields. Clients do
// not try again.
func (e Endpoint) Dialer(timeout time.Duration) (func() Client, error) {
	kind, opt, err := e.URL.options()
	if err := errors.Join(config.WrongFor(e.URL, err), e.certify(opt.TLSConfig)); err != nil {
		return nil, err
	}
	opt.MaxRetries, opt.DialerRetries = -1, 1
	opt.ContextTimeoutEnabled = true
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = timeout, timeout, timeout
	opt.Dialer = dial(timeout, opt.TLSConfig)
	opt.PipelinePoolSize = -1 // no second pool of connections: there are only pipelines
	// Managed servers refuse the commands of both.
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	logging.Disable() // it writes lines of its own to stderr, which its errors say too
	return func() Client {
		switch opt := opt; kind { // a copy, as clients keep what they are given
		case cluster:
			c := redis.NewClusterClient(opt.Cluster())
			// A connection to each, as requests have no time to wait for one. While
			// one of them is away, the cluster is.
			return Client{c.Pipeline, func(ctx context.Context) error { return c.ForEachMaster(ctx, ping) }, c.Close}
		case sentinel:
			c := redis.NewFailoverClient(opt.Failover())
			return Client{c.Pipeline, func(ctx context.Context) error { return ping(ctx, c) }, c.Close}
		default:
			c := redis.NewClient(opt.Simple())
			return Client{c.Pipeline, func(ctx context.Context) error { return ping(ctx, c) }, c.Close}
		}
	}, nil
}

func ping(ctx context.Context, c *redis.Client) error { return c.Ping(ctx).Err() }

// certify puts what the files hold into cfg, which is nil where there is no TLS.
func (e Endpoint) certify(cfg *tls.Config) error {
	files := config.TLSFiles{Authorities: e.CAFile, Certificate: e.CertFile, Key: e.KeyFile}
	if *e.CAFile == "" && *e.CertFile == "" && *e.KeyFile == "" {
		return nil
	}
	if !strings.HasPrefix(string(*e.URL), "rediss") {
		return config.Wrong(config.Fields{files.Authorities, files.Certificate, files.Key}, "need a %s with TLS, such as rediss://host", e.URL)
	}
	if cfg == nil { // of a URL that is refused
		cfg = &tls.Config{}
	}
	return files.Load(cfg)
}
