package route

import (
	"context"

	"spangate/policy"
	"spangate/policy/redis"
	"spangate/telemetry"
)

// rateLimit is the limit on requests, by whoever keeps the counts. A nil rateLimit
// limits nothing.
type rateLimit struct {
	decide policy.Limiter
	keys   func() int
	store  *redis.Store // nil: the counts are this instance's own
}

func newRateLimit(cfg policy.RateLimitConfig, store redis.Config, tel *telemetry.Telemetry) (*rateLimit, error) {
	limits, maxKeys := cfg.Effective(), cfg.MaxKeys
	if len(limits) == 0 {
		return nil, nil
	}
	l := &rateLimit{}
	if store.RedisURL == "" {
		memory := policy.NewMemoryLimiter(limits, maxKeys)
		l.decide, l.keys = memory.Limit, memory.Keys
	} else {
		var err error
		if l.store, err = redis.New(store, limits, maxKeys, tel.StoreChanged(string(store.OnError))); err != nil {
			return nil, err
		}
		l.decide, l.keys = l.store.Limit, l.store.Keys
	}
	l.decide = tel.Limiter(l.decide, cfg)
	return l, nil
}

// decision returns who decides, or nil.
func (l *rateLimit) decision() policy.Limiter {
	if l == nil {
		return nil
	}
	return l.decide
}

// run does what a shared limit needs beside decisions, until ctx is done.
func (l *rateLimit) run(ctx context.Context) error {
	if l == nil || l.store == nil {
		return nil
	}
	return l.store.Run(ctx)
}
