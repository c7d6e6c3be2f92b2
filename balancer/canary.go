package balancer

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/fault"
)

// CanaryConfig says which requests backends of a new version get. The zero value
// gives them none.
type CanaryConfig struct {
	Backends Members        `env:"CANARY_BACKENDS" list:"true" needs:"CANARY|CANARY_HEADER" zero:"none" doc:"backends of a new version, written like BACKENDS, which get a share of the requests, and are probed and left out like others; while none of them is ready all requests go to BACKENDS, and so does a request that is tried again after it failed at one of them"`
	Share    config.Percent `env:"CANARY" needs:"CANARY_BACKENDS" zero:"none" doc:"share of the requests that CANARY_BACKENDS get, such as 5% or 0.5%; whom CANARY_BY has given to them stays there when it grows"`
	By       CanaryKey      `env:"CANARY_BY" needs:"CANARY" zero:"chance" doc:"what of a request keeps it on one side, the same one at all instances: client-ip, header:NAME or cookie:NAME; requests without it are drawn at random, as are all when empty, save that BALANCER_STICKY_COOKIE keeps a client where it was answered"`
	Header   FieldName      `env:"CANARY_HEADER" needs:"CANARY_BACKENDS" zero:"none" doc:"name of a field by which anybody can ask for a side: always is for CANARY_BACKENDS, also while CANARY_ABORT keeps them from others, and never for BACKENDS; the backends get it too"`
	Abort    AbortRule      `env:"CANARY_ABORT" needs:"CANARY" zero:"never" doc:"when CANARY_BACKENDS lose their share by themselves: errors>5%/1m is for more than 5% of the attempts at them, and at least five, that failed within a minute (no answer, one of 5xx, or of gRPC one that says so), and more than chance explains where BACKENDS fail too; after a minute, two the second time, and so on up to ten, a tenth of the share tries them again, for at least a minute and five attempts, and once no more of these failed than may they have it all again; each instance judges for itself"`
}

// Pool returns what the pool of the canary is built of, of which the rest is of.
func (c *CanaryConfig) Pool(of Config) Config {
	return of.beside(c.Backends)
}

// Check returns what is wrong with the files that the canary's members name, where the
// rest is of.
func (c *CanaryConfig) Check(of *Config) error { return of.check(&c.Backends) }

// KeyHeader returns the name of the field that CANARY_BY takes the key from, or "".
func (c *CanaryConfig) KeyHeader() string { return c.By.key.Header() }

// Fields returns the names of the fields that mean something to the canary.
func (c *CanaryConfig) Fields() []string { return []string{c.KeyHeader(), string(c.Header)} }

// CanaryHooks are how others listen to the decisions of a [Canary]. The zero value
// is silent. All are called concurrently but Changed.
type CanaryHooks struct {
	// Chosen is told of the side that each request goes to.
	Chosen func(ctx context.Context, canary bool)

	// Failed is told of each failure that counts against the canary, before anything
	// follows from it. ctx is that of the attempt's request.
	Failed func(ctx context.Context)

	// Changed is told of each change of the canary's state, one at a time.
	Changed func(CanaryChange)
}

// Canary is a RoundTripper that sends a share of the requests to backends of a new
// version, and all others to the stable ones. It is safe for concurrent use.
//
// A request that asks for a side by the field of CANARY_HEADER gets it. Others are
// drawn by the hash of a key, so that all instances agree and nobody loses the canary
// when its share grows; or at random. An attempt that failed at the canary is followed,
// where it may be, by one at the stable backends: a version that fails one request is
// the last to ask about it again. While no backend of the canary is fit, all go to the
// stable ones.
type Canary struct {
	cfg    CanaryConfig
	hooks  CanaryHooks
	key    func(*http.Request) string // nil: by chance
	header string                     // empty: nobody can ask

	stable, canary     *Retrier
	ofStable, ofCanary evidence // nil: nothing aborts it
	trial              *trial
}

// NewCanary returns what sends requests through stable or to the backends of the pool
// canary, which is built of [CanaryConfig.Pool] and run like others. Both have one
// budget of retries, that of stable.
func NewCanary(cfg CanaryConfig, stable *Retrier, canary *Pool, hooks CanaryHooks) *Canary {
	c := &Canary{cfg: cfg, hooks: hooks, header: http.CanonicalHeaderKey(string(cfg.Header)), stable: stable}
	if cfg.By != (CanaryKey{}) {
		c.key = cfg.By.key.of(clientKey)
	}
	c.canary = Retry(stable.cfg, canary)
	c.canary.further, c.canary.budget = stable.pool, stable.budget
	if cfg.Abort != (AbortRule{}) {
		c.ofStable, c.ofCanary = c.stableWent, c.canaryWent
	}
	c.trial = newTrial(cfg.Abort, float64(cfg.Share), hooks.Changed)
	return c
}

// clientKey returns the address of the client of r, "" where a proxy hides it, which
// would answer for all of its clients.
func clientKey(r *http.Request) string {
	if addr := handler.ClientOf(r).NamedAddr(); addr.IsValid() {
		return addr.String()
	}
	return ""
}

// State returns whether the canary has its share, and how large it is now.
func (c *Canary) State() (CanaryState, float64) { return c.trial.state(time.Now()) }

// RoundTrip implements [http.RoundTripper].
func (c *Canary) RoundTrip(r *http.Request) (*http.Response, error) {
	to, asked := c.choose(r)
	ctx := r.Context()
	c.chosen(ctx, to)
	ofStable, ofCanary := c.ofStable, c.ofCanary
	if asked { // who asks for a side says nothing about what the share of each gets
		ofStable, ofCanary = nil, nil
	}
	if !to {
		return c.stable.send(r, ofStable, ofStable)
	}
	resp, err := c.canary.send(r, ofCanary, ofStable)
	if e, ok := err.(*fault.Error); ok && e.Type == fault.NoHealthyBackend { // it has lost the last one just now
		c.chosen(ctx, false)
		return c.stable.send(r, ofStable, ofStable)
	}
	return resp, err
}

func (c *Canary) chosen(ctx context.Context, canary bool) {
	if c.hooks.Chosen != nil {
		c.hooks.Chosen(ctx, canary)
	}
}

// choose reports whether r goes to the canary, and whether it asks for that.
func (c *Canary) choose(r *http.Request) (canary, asked bool) {
	if c.header != "" {
		switch said := r.Header[c.header]; {
		case len(said) != 1: // nobody says who means it
		case strings.EqualFold(said[0], "never"):
			return false, true
		case strings.EqualFold(said[0], "always"):
			return c.canary.pool.fit(), true
		}
	}
	_, share := c.trial.state(time.Now())
	return share > 0 && c.drawn(r, share) && c.canary.pool.fit(), false
}

// drawn reports whether r is part of that share of the requests.
func (c *Canary) drawn(r *http.Request, share float64) bool {
	if c.key == nil {
		switch {
		case c.canary.pool.keeps(r):
			return true
		case c.stable.pool.keeps(r):
			return false
		}
		return rand.Float64() < share
	}
	if key := c.key(r); key != "" {
		return placeOf(key) < share
	}
	return rand.Float64() < share
}

// placeOf returns where a key stands among all, from 0 to below 1: the same in each
// process, and not what the choice among backends follows from.
func placeOf(key string) float64 {
	return float64(mix(hashString(key)^canarySeed)>>11) / (1 << 53)
}

var canarySeed = hashString("canary")

// fit reports whether one of the pool's backends is likely to serve, as there are
// others that would: none that is ejected, or was just waited for in vain, but for who
// finds out whether that is over.
func (p *Pool) fit() bool {
	for _, b := range p.Ready() {
		if b.State() != Ejected && !b.health.suspected() {
			return true
		}
	}
	return false
}

// keeps reports whether the cookie of BALANCER_STICKY_COOKIE in r is of a backend that
// is ready.
func (p *Pool) keeps(r *http.Request) bool {
	if p.sticky.name == "" {
		return false
	}
	ready := p.Ready()
	if len(ready) == 0 {
		return false
	}
	for value := range cookies(r.Header, string(p.sticky.name)) {
		if (*p.sticky.holders.of(ready))[value] != nil {
			return true
		}
	}
	return false
}
