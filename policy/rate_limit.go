package policy

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/fault"
)

// RateLimitConfig says how many requests of one key are let in. The zero value
// lets in all.
type RateLimitConfig struct {
	Limits  Limits       `env:"RATE_LIMIT" instead:"share limits" envDefault:"off" list:"true" door:"write off to set no limit" doc:"requests that one client may make: 100/s, 600/m, 1000/h or 10/d; of several, such as 10/s,1000/h, all must be kept"`
	Burst   int64        `env:"RATE_LIMIT_BURST" instead:"share" envDefault:"0" min:"0" needs:"RATE_LIMIT" zero:"none" doc:"requests that may come at once, of the limit with the shortest unit; 0: as many as it has"`
	Key     RateLimitKey `env:"RATE_LIMIT_KEY" envDefault:"client-ip" needs:"RATE_LIMIT" doc:"who is one client: client-ip (IPv6 by /64), header:NAME (client-ip where it is missing) or global; joined with +, those that have all in common"`
	MaxKeys int          `env:"RATE_LIMIT_MAX_KEYS" envDefault:"100000" min:"1" max:"100000000" needs:"RATE_LIMIT" doc:"clients that are kept count of at a time; for one more, the one that came least recently is forgotten"`
	DryRun  bool         `env:"RATE_LIMIT_DRY_RUN" instead:"share" envDefault:"false" needs:"RATE_LIMIT" doc:"let in what would be refused, and show it in telemetry"`
}

// longestBurst is how long a burst may take to come back.
const longestBurst = 366 * 24 * time.Hour

// check returns what is wrong with variables that are right by themselves.
func (c *RateLimitConfig) check() error {
	if i := c.Limits.shortest(); i >= 0 {
		l := c.Limits[i]
		if most := int64(longestBurst / l.Interval()); c.Burst > most {
			return config.Wrong(&c.Burst, "must be at most %d with %v: more take over a year to come back", most, l)
		}
	}
	return nil
}

// Effective returns the limits with the bursts that they have.
func (c RateLimitConfig) Effective() Limits {
	limits := slices.Clone(c.Limits)
	if i := limits.shortest(); i >= 0 && c.Burst > 0 {
		limits[i].Burst = c.Burst
	}
	return limits
}

// RateLimit returns a wrapper that lets a request in when limit does, or nil
// when cfg sets no limit. Each response says what is left, in the fields
// RateLimit-Policy and RateLimit.
//
// A request over the limit is refused with 429 and the reason limited; one for
// which limit has no answer, and will not let it in either, with 503 and the
// reason store_error. Both have Retry-After. In a dry run all are let in, and
// RateLimit is marked. CORS preflights are not counted: their senders cannot
// help sending them, and would take a refusal for a lack of permission.
func RateLimit(cfg RateLimitConfig, limit Limiter, refuse Refuse) func(http.Handler) http.Handler {
	if len(cfg.Limits) == 0 {
		return nil
	}
	keyOf := cfg.Key.source()
	terms := []string{policies(cfg.Effective())}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isPreflight(r) {
				next.ServeHTTP(w, r)
				return
			}
			d, err := limit(r.Context(), keyOf(r))
			uncounted := err != nil && d.Limit == Limit{}
			answer := handler.AnswerOf(r)
			answer.Set(policyField, terms...)
			if !uncounted {
				answer.SetValue(rateLimitField, available(d, cfg.DryRun))
			}
			if d.Allowed || cfg.DryRun {
				next.ServeHTTP(w, r)
				return
			}
			answer.Set("Retry-After", strconv.FormatInt(seconds(d.RetryAfter), 10))
			if uncounted {
				refuse(w, r, fault.Refusal{Policy: "rate_limit", Reason: "store_error", Status: http.StatusServiceUnavailable, Detail: "Whether the request may come in cannot be told at the moment."})
				return
			}
			refuse(w, r, fault.Refusal{
				Policy: "rate_limit", Reason: "limited", Status: http.StatusTooManyRequests,
				Detail: "There were more requests than are let in; Retry-After says when the next one may come.",
			})
		})
	}
}

// InForce returns, by its address, what comes of fields that leave it to others.
func (c *RateLimitConfig) InForce() map[any]string {
	limits := c.Effective()
	if len(limits) == 0 {
		return nil
	}
	shortest := slices.MinFunc(limits, func(a, b Limit) int { return cmp.Compare(a.Per, b.Per) })
	return map[any]string{&c.Burst: strconv.FormatInt(shortest.Burst, 10)}
}
