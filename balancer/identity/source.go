package identity

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"spangate/handler/fault"
)

const (
	// fetchTimeout bounds one fetch, and so how long a request waits for one.
	fetchTimeout = 5 * time.Second
	// firstRetry is how long after a fetch that failed comes the next at the earliest. It
	// doubles up to lastRetry.
	firstRetry, lastRetry = time.Second, 10 * time.Second
	// longestRest bounds the time in which there is no fetch because who was asked wants
	// to be left alone.
	longestRest = time.Minute
	// longFailure is how long a fetch takes, if it fails, after which nobody waits for the
	// next ones: they are made beside the requests, which fail meanwhile. That holds until
	// nothing has been tried for as long as longestRest: then there may be something new.
	longFailure = time.Second
	// shortestUse is how long a token is used at least, whatever a backend says of it.
	shortestUse = time.Minute
)

// Source has the token for one purpose. Requests get the one that is kept, at the cost of
// an atomic load; shortly before it expires the first of them has the next one fetched,
// and does not wait for it. Where there is none they wait for one fetch together, which
// goes on when any of them gives up. After a fetch that failed there is no other for a
// while: a token that is kept is used as long as it is valid, and who has none fails at
// once. It is safe for concurrent use.
type Source struct {
	purpose Purpose
	fetch   Fetch
	hooks   Hooks
	set     *Sources

	state  atomic.Pointer[state]
	flight atomic.Pointer[flight] // that is under way; nil: none
	mu     sync.Mutex             // held to begin one
}

// state is what the last fetch left. It never changes, but is replaced.
type state struct {
	token    Token // the zero value before the first
	got      moment
	tried    moment        // when the last fetch ended
	pause    time.Duration // from then until there may be another
	err      *FetchError   // why the last fetch failed; nil: it did not
	failures int           // in a row
	isSlow   bool          // that failure took long
}

// valid reports whether there is a token that can be sent.
func (st *state) valid(now moment) bool {
	return st.token.lines != nil && !st.got.passed(now, st.token.use())
}

// due reports whether it is time for another fetch.
func (st *state) due(now moment) bool { return st.tried.passed(now, st.pause) }

// answers reports whether there is something to say without a fetch.
func (st *state) answers(now moment) bool {
	return st.valid(now) || st.err != nil && (!st.due(now) || st.isSlow && !st.tried.passed(now, longestRest))
}

// flight is a fetch, and what came of it once done is closed.
type flight struct {
	ctx   context.Context // its own
	done  chan struct{}
	state *state
}

// Token returns the token, and whether it was waited for. The error, when there is none,
// is a *[fault.Error] that blames no backend: of type [fault.IdentityError], or one that
// says what ended ctx.
func (s *Source) Token(ctx context.Context) (token Token, waited bool, err error) {
	st, now := s.state.Load(), s.set.now()
	if st.answers(now) {
		if st.due(now) && s.flight.Load() == nil {
			s.begin(ctx, false)
		}
		token, err = s.tell(st, now)
		return token, false, err
	}
	err = s.hooks.wait(ctx, s.purpose, func(ctx context.Context) (err error) {
		f := s.begin(ctx, true)
		select {
		case <-f.done:
			token, err = s.tell(f.state, s.set.now())
		case <-ctx.Done():
			err = without(fault.Of(ctx, ctx.Err()).Type, context.Cause(ctx))
		}
		return err
	})
	return token, true, err
}

// tell returns the token that st has, or why it has none.
func (s *Source) tell(st *state, now moment) (Token, error) {
	switch {
	case st.valid(now):
		return st.token, nil
	case st.err == nil:
		return Token{}, without(fault.IdentityError, errExpired)
	}
	return Token{}, without(fault.IdentityError, st.err)
}

// without returns the failure of what cannot be done without a token.
func without(kind fault.Type, why error) *fault.Error {
	return &fault.Error{Type: kind, Err: fmt.Errorf("%w: %w", fault.ErrNoToken, why)}
}

// begin returns the fetch that is under way, or begins one, unless another one has just
// ended. cause is the context of the request that asks, and waits for it if waits.
func (s *Source) begin(cause context.Context, waits bool) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if under := s.flight.Load(); under != nil {
		if waits {
			s.hooks.joined(under.ctx, cause)
		}
		return under
	}
	f := &flight{done: make(chan struct{}), state: s.state.Load()}
	if now := s.set.now(); !f.state.due(now) && f.state.answers(now) {
		close(f.done)
		return f
	}
	ctx, end := s.set.begin()
	f.ctx = s.hooks.caused(ctx, cause, waits)
	s.flight.Store(f)
	go func() {
		defer end()
		began := time.Now()
		token, err := s.fetch(f.ctx)
		f.state = f.state.after(token, err, s.set.now(), time.Since(began))
		s.state.Store(f.state)
		s.flight.Store(nil)
		close(f.done)
	}()
	return f
}

// after returns what there is after a fetch that took so long and ended like that.
func (st *state) after(token Token, err error, now moment, took time.Duration) *state {
	if err == nil {
		return &state{token: token, got: now, tried: now, pause: token.rest()}
	}
	failure := fetchErrorOf(err)
	pause := min(firstRetry<<min(st.failures, 8), lastRetry)
	pause -= rand.N(pause / 10) // so that instances do not ask in step
	pause = max(pause, min(failure.rest, longestRest))
	return &state{token: st.token, got: st.got, tried: now, pause: pause, err: failure, failures: st.failures + 1, isSlow: took > longFailure}
}

// Doubt says that a backend does not take a token. It may have been taken back: one that
// was used for a while is fetched again by the next request, which still sends it. More
// is not done, as whoever answers may mean the credentials of the client.
func (s *Source) Doubt(token Token) {
	st, now := s.state.Load(), s.set.now()
	if st.err != nil || !st.token.is(token) || !st.got.passed(now, shortestUse) || st.due(now) {
		return
	}
	next := *st
	next.pause = 0
	s.state.CompareAndSwap(st, &next)
}
