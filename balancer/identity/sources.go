package identity

import (
	"context"
	"errors"
	"sync"

	"spangate/handler/fault"
)

// Sources are those that a program has, one for all that want the same tokens. It is safe
// for concurrent use. The zero value has none yet, and fetches without [Sources.Run] too.
type Sources struct {
	clock func() moment // nil: the machine's; it is set before the first use

	mu      sync.Mutex
	all     map[key]*Source
	ending  context.Context
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
}

// key is all that a source is made of.
type key struct {
	purpose                                 Purpose
	metadataHost                            string
	tokenURL, clientID, clientSecret, scope string
}

// Signer returns what gives requests the tokens of that purpose, which cfg says how to
// get; nil for [None]. hooks are those of the first of several that want the same.
func (s *Sources) Signer(cfg Config, p Purpose, hooks Hooks) *Signer {
	if p.Kind.Field() == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := cfg.key(p)
	source := s.all[k]
	if source == nil {
		request, fetch := k.fetch()
		source = &Source{purpose: p, fetch: hooks.fetch(request, fetch), hooks: hooks, set: s}
		source.state.Store(&state{})
		if s.all == nil {
			s.all = map[key]*Source{}
		}
		s.all[k] = source
	}
	return &Signer{source, p.Kind.Field()}
}

func (s *Sources) now() moment {
	if s.clock != nil {
		return s.clock()
	}
	return present()
}

// begin returns the context of a fetch, and what is to be called once it has ended.
func (s *Sources) begin() (context.Context, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prepare()
	ctx, cancel := context.WithTimeout(s.ending, fetchTimeout)
	if s.ending.Err() != nil {
		return ctx, cancel
	}
	s.running.Add(1)
	return ctx, func() {
		cancel()
		s.running.Done()
	}
}

// prepare is called with mu held.
func (s *Sources) prepare() {
	if s.ending == nil {
		s.ending, s.cancel = context.WithCancelCause(context.Background())
	}
}

// Run waits until ctx is done, and then breaks off the fetches that are under way: no
// request waits for one any more. It returns when they have ended.
func (s *Sources) Run(ctx context.Context) error {
	<-ctx.Done()
	s.mu.Lock()
	s.prepare()
	s.cancel(&fault.Error{Type: fault.Shutdown, Err: errors.New("the proxy stops")})
	s.mu.Unlock()
	s.running.Wait()
	return nil
}
