package redis

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

// client is what the store uses of a client of Redis, of whatever kind.
type client struct {
	pipeline func() redis.Pipeliner
	reach    func(context.Context) error // connects
	close    func() error
}

// connectTimeout bounds all that it takes to reach the store: names, TLS,
// passwords, a cluster's layout.
const connectTimeout = 500 * time.Millisecond

// dialer returns what makes clients, each of which connects when it is used and
// waits that long for each answer, or all that is wrong with the configuration of
// them.
func (c *Config) dialer(timeout time.Duration) (func() client, error) {
	kind, opt, err := c.RedisURL.options()
	if err := errors.Join(config.WrongFor(&c.RedisURL, err), c.certify(opt.TLSConfig)); err != nil {
		return nil, err
	}
	// To try again is not for the client: requests have no time for it, and it
	// would count them twice.
	opt.MaxRetries, opt.DialerRetries = -1, 1
	opt.ContextTimeoutEnabled = true
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = timeout, timeout, timeout
	opt.Dialer = dial(timeout, opt.TLSConfig)
	opt.PipelinePoolSize = -1 // no second pool of connections: there are only pipelines
	// Managed servers refuse the commands of both.
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	logging.Disable() // it writes lines of its own to stderr, which its errors say too
	return func() client {
		switch opt := opt; kind { // a copy, as clients keep what they are given
		case cluster:
			c := redis.NewClusterClient(opt.Cluster())
			// A connection to each, as requests have no time to wait for one. While
			// one of them is away, the cluster is.
			return client{c.Pipeline, func(ctx context.Context) error { return c.ForEachMaster(ctx, ping) }, c.Close}
		case sentinel:
			c := redis.NewFailoverClient(opt.Failover())
			return client{c.Pipeline, func(ctx context.Context) error { return ping(ctx, c) }, c.Close}
		default:
			c := redis.NewClient(opt.Simple())
			return client{c.Pipeline, func(ctx context.Context) error { return ping(ctx, c) }, c.Close}
		}
	}, nil
}

func ping(ctx context.Context, c *redis.Client) error { return c.Ping(ctx).Err() }

// certify puts what the files hold into cfg, which is nil where there is no TLS.
func (c *Config) certify(cfg *tls.Config) error {
	if c.CAFile == "" && c.CertFile == "" && c.KeyFile == "" {
		return nil
	}
	files := config.TLSFiles{Authorities: &c.CAFile, Certificate: &c.CertFile, Key: &c.KeyFile}
	if !strings.HasPrefix(string(c.RedisURL), "rediss") {
		return config.Wrong(config.Fields{files.Authorities, files.Certificate, files.Key}, "need a %s with TLS, such as rediss://host", &c.RedisURL)
	}
	if cfg == nil { // of a URL that is refused
		cfg = &tls.Config{}
	}
	return files.Load(cfg)
}
