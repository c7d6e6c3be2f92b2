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
	token    Token       // the zero value before the first
	due      time.Time   // the earliest time for another fetch
	err      *FetchError // why the last fetch failed; nil: it did not
	failures int         // in a row
}

// answers reports whether there is something to say without a fetch.
func (st *state) answers(now time.Time) bool {
	return st.token.valid(now) || st.err != nil && now.Before(st.due)
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
	st, now := s.state.Load(), time.Now().Round(0)
	if st.answers(now) {
		if !now.Before(st.due) && s.flight.Load() == nil {
			s.begin(ctx, false)
		}
		token, err = s.tell(st, now)
		return token, false, err
	}
	err = s.hooks.wait(ctx, s.purpose, func(ctx context.Context) (err error) {
		f := s.begin(ctx, true)
		select {
		case <-f.done:
			token, err = s.tell(f.state, time.Now().Round(0))
		case <-ctx.Done():
			err = without(fault.Of(ctx, ctx.Err()).Type, context.Cause(ctx))
		}
		return err
	})
	return token, true, err
}

// tell returns the token that st has, or why it has none.
func (s *Source) tell(st *state, now time.Time) (Token, error) {
	switch {
	case st.token.valid(now):
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
	now := time.Now().Round(0)
	if now.Before(f.state.due) && f.state.answers(now) {
		close(f.done)
		return f
	}
	ctx, end := s.set.begin()
	f.ctx = s.hooks.caused(ctx, cause, waits)
	s.flight.Store(f)
	go func() {
		defer end()
		token, err := s.fetch(f.ctx)
		f.state = f.state.after(token, err)
		s.state.Store(f.state)
		s.flight.Store(nil)
		close(f.done)
	}()
	return f
}

// after returns what there is after a fetch that ended like that.
func (st *state) after(token Token, err error) *state {
	if err == nil {
		return &state{token: token, due: token.refresh()}
	}
	pause := min(firstRetry<<min(st.failures, 8), lastRetry)
	pause -= rand.N(pause / 10) // so that instances do not ask in step
	return &state{token: st.token, due: time.Now().Round(0).Add(pause), err: fetchErrorOf(err), failures: st.failures + 1}
}

// Doubt says that a backend does not take a token. It may have been taken back: one that
// was used for a while is fetched again by the next request, which still sends it. More
// is not done, as whoever answers may mean the credentials of the client.
func (s *Source) Doubt(token Token) {
	st, now := s.state.Load(), time.Now().Round(0)
	if st.err != nil || st.token.value != token.value || now.Before(token.got.Add(shortestUse)) || now.After(st.due) {
		return
	}
	next := *st
	next.due = now
	s.state.CompareAndSwap(st, &next)
}
