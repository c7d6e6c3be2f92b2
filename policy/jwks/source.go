package jwks

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"spangate/handler/clock"
)

const (
	// defaultRefresh is what a zero Config.Refresh means.
	defaultRefresh = 10 * time.Minute
	// minRefresh is how long a set is kept though it says to be stale sooner.
	minRefresh = time.Minute
	// Cooldown is the least time from one fetch to the next that requests cause:
	// anybody can make up the ids of keys.
	Cooldown = 5 * time.Second
	// patience is how long a request waits for a fetch.
	patience = 2 * time.Second
	// firstRetry is how long after a fetch that failed comes the next. It doubles
	// up to maxRetry.
	firstRetry, maxRetry = time.Second, time.Minute
)

// Config says where an issuer's keys are.
type Config struct {
	URL     URL
	Refresh time.Duration // longest time from one fetch to the next; 0: ten minutes
	// Stale is how long keys are still used once it is time to fetch them again
	// and that fails. Who can keep this program from its issuer keeps a revoked key
	// in use for as long.
	Stale     time.Duration
	Transport http.RoundTripper // nil: one of its own
}

// Source is an issuer's keys, as they change. One goroutine, [Source.Run],
// fetches them; requests read the last set that it got and, if that has not the
// key that they look for, ask it to fetch once more for all of them. It is safe
// for concurrent use.
type Source struct {
	cfg    Config
	client *http.Client
	state  atomic.Pointer[state]
	wanted chan struct{}
	runs   atomic.Bool
}

// state is what the last fetch left. It never changes, but is replaced.
type state struct {
	text     []byte // of set
	set      *Set   // of the last fetch that succeeded; nil before
	until    time.Time
	ended    time.Time     // the last fetch; zero before
	err      error         // of the last fetch
	replaced chan struct{} // closed once there is a newer one
}

// Fetched is what came of a fetch.
type Fetched struct {
	Set     *Set // the keys in use, even if Err is not nil; nil when there are none
	Changed bool // there was another Set before
	// Ignored is why keys of the set are left out, if there is news of that.
	Ignored []error
	Err     error
	Next    time.Duration // until the next fetch
}

// NewSource returns a Source that knows no keys until it runs.
func NewSource(cfg Config) *Source {
	cfg.Refresh = cmp.Or(cfg.Refresh, defaultRefresh)
	s := &Source{cfg: cfg, client: newClient(cfg.Transport), wanted: make(chan struct{}, 1)}
	s.state.Store(&state{replaced: make(chan struct{})})
	return s
}

// Sources has a source for each configuration: whoever wants the same keys shares it.
type Sources map[Config]*Source

// Source returns the source that cfg describes, which is made for the first who asks.
func (all Sources) Source(cfg Config) *Source {
	if all[cfg] == nil {
		all[cfg] = NewSource(cfg)
	}
	return all[cfg]
}

// Run fetches the keys at once and then again and again until ctx is done: when
// the refresh interval is over, when the set says that it will be stale, sooner
// after a failure, and when a request looks for a key that is not there. It
// tells report, which may be nil, of each fetch. Of those that share the source the
// first runs it, and Run waits with the others until ctx is done.
func (s *Source) Run(ctx context.Context, report func(Fetched)) {
	if !s.runs.CompareAndSwap(false, true) {
		<-ctx.Done()
		return
	}
	backoff := firstRetry
	for {
		text, fresh, err := fetch(ctx, s.client, s.cfg.URL)
		if ctx.Err() != nil {
			return
		}
		next := s.interval(fresh)
		fetched := s.replace(text, err)
		if fetched.Err != nil {
			next = min(backoff, s.cfg.Refresh)
			backoff = min(2*backoff, maxRetry)
		} else {
			backoff = firstRetry
		}
		fetched.Next = next - rand.N(next/10+1) // so that instances do not ask in step
		if report != nil {
			report(fetched)
		}
		if !s.wait(ctx, fetched.Next) {
			return
		}
	}
}

// interval is how long to wait after a fetch that succeeded. What a set says of
// itself can shorten the interval, within reason, and not lengthen it: that
// bounds how long a key is used that the issuer has taken back.
func (s *Source) interval(fresh time.Duration) time.Duration {
	if fresh < 0 {
		return s.cfg.Refresh
	}
	return min(max(fresh, minRefresh), s.cfg.Refresh)
}

// replace makes what was fetched the state that requests see.
func (s *Source) replace(text []byte, err error) Fetched {
	last := s.state.Load()
	now := time.Now()
	next := &state{text: last.text, set: last.set, until: last.until, ended: now, replaced: make(chan struct{})}
	if err == nil && !bytes.Equal(text, last.text) {
		var set *Set
		if set, err = Parse(text); err == nil {
			next.text, next.set = text, set
		}
	}
	if next.err = err; err == nil {
		// By the wall clock, as the other one stands still while a machine sleeps.
		next.until = now.Round(0).Add(s.cfg.Refresh + fetchTimeout + s.cfg.Stale)
	}
	s.state.Store(next)
	close(last.replaced)
	fetched := Fetched{Set: next.current(), Changed: next.set != last.set, Err: err}
	if fetched.Changed && !slices.EqualFunc(next.set.Ignored(), last.set.Ignored(), sameText) {
		fetched.Ignored = next.set.Ignored()
	}
	return fetched
}

func sameText(a, b error) bool { return a.Error() == b.Error() }

// wait returns true when it is time for the next fetch, and false when ctx is
// done.
func (s *Source) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-s.wanted:
			if !s.state.Load().cooling() {
				return true
			}
		}
	}
}

// current returns the set, unless it is too old.
func (st *state) current() *Set {
	if st.set == nil || time.Now().Round(0).After(st.until) {
		return nil
	}
	return st.set
}

// cooling reports whether a request must not cause another fetch yet.
func (st *state) cooling() bool { return time.Since(st.ended) < Cooldown }

func (st *state) find(id, algorithm string) (crypto.PublicKey, *Set, error) {
	set := st.current()
	if set == nil {
		return nil, nil, ErrUnavailable
	}
	public, err := set.Find(id, algorithm)
	if errors.Is(err, ErrUnknownKey) && st.err != nil {
		err = ErrUnavailable // a newer set may have it
	}
	return public, set, err
}

// Current returns the keys in use, or nil when there are none.
func (s *Source) Current() *Set { return s.state.Load().current() }

// Key returns the key that has the id, which may be empty, and is for the
// algorithm, with the set that it is of. It does not wait, except for a key that
// is not there, and then 2 s at most. The error is one of this package's.
func (s *Source) Key(ctx context.Context, id, algorithm string) (crypto.PublicKey, *Set, error) {
	st := s.state.Load()
	public, set, err := st.find(id, algorithm)
	if err == nil || errors.Is(err, ErrAlgorithm) || st.cooling() {
		return public, set, err
	}
	if !s.renew(ctx, st) {
		return nil, nil, ErrUnavailable
	}
	return s.state.Load().find(id, algorithm)
}

// Outdated reports whether there is another set than that, a key of which did not
// verify a signature: issuers may replace a key and leave it its id. It does not
// wait, except for a fetch that it causes, and then 2 s at most.
func (s *Source) Outdated(ctx context.Context, set *Set) bool {
	st := s.state.Load()
	if st.set == set && !st.cooling() {
		s.renew(ctx, st)
	}
	current := s.Current()
	return current != nil && current != set
}

// renew asks for a fetch and reports whether it has ended, and st with it.
func (s *Source) renew(ctx context.Context, st *state) bool {
	select {
	case s.wanted <- struct{}{}:
	default: // somebody has asked already
	}
	return clock.Await(ctx, st.replaced, patience)
}
