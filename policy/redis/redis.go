// Package redis answers: may this request come in, when several instances
// enforce one limit?
//
// A [Store] keeps the counts of all in Redis, and decides there. While that
// cannot be asked, each instance enforces its share: the limits divided by how
// many instances there were. Counts go on from where they were when that begins
// and when it ends; see [Store.Limit].
package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"sync"
	"sync/atomic"
	"time"

	"spangate/handler/config"
	"spangate/policy"
	"spangate/policy/redis/connect"
)

// Store decides by counts in Redis that several instances share.
//
// Nothing that a request does makes it connect, wait for a connection, or try
// again: Run alone does that. Decisions that are wanted while others are on the
// wire go together in the next round trip.
type Store struct {
	cfg      Config
	changed  func(degraded bool, err error)
	dial     func() connect.Client
	connect  time.Duration // what a client has for an answer, when requests do not wait for it
	name     string        // of this instance
	measures []measure
	args     [][]any // what gcra.lua is told of each limit
	counts   string  // what the keys of counts begin with

	queue     queue
	questions sync.Pool
	ledger    *ledger
	instances atomic.Int64 // at least 1

	calls sync.WaitGroup // of the client, that are under way

	mu    sync.Mutex
	state state     // what was reported
	since time.Time // when the store was lost
	lost  error     // why it cannot be asked; nil when it can
}

// state is what an attempt to reach the store has shown.
type state int

const (
	unknown state = iota
	reachable
	away
)

// New returns a store that holds each key to all of limits; there must be one.
// It is degraded until Run has reached Redis, and does not fail because that is
// not there. Its errors are those of [Config.Check]. maxKeys is about how many
// keys are kept in mind for when Redis is away. changed, if not nil, is told
// whether Redis can be asked: once that is known at first, and when it changes; err
// is why not. It must not block.
func New(cfg Config, limits policy.Limits, maxKeys int, changed func(degraded bool, err error)) (*Store, error) {
	dial, err := cfg.dialer(connectTimeout)
	if err != nil {
		return nil, config.Named(&cfg, err)
	}
	s := &Store{cfg: cfg, changed: changed, dial: dial, connect: connectTimeout, name: rand.Text(), since: time.Now(), lost: errNotYet}
	hash := fnv.New64a()
	for _, l := range limits {
		m := newMeasure(l)
		s.measures = append(s.measures, m)
		s.args = append(s.args, m.args())
		fmt.Fprintln(hash, l.Requests, l.Per, l.Burst)
	}
	s.counts = fmt.Sprintf("%slimit:%x:", cfg.Prefix, hash.Sum64())
	s.instances.Store(1)
	s.ledger = newLedger(s.measures, maxKeys)
	s.queue.came = make(chan struct{}, 1)
	s.questions.New = func() any { return &question{answered: make(chan struct{}, 1)} }
	return s, nil
}

// Limit is the [policy.Limiter]. It takes no longer than the configured timeout,
// and no heed of the context: that is short.
//
// An error says why the store was not asked, or did not answer. With local, an
// [OnError], the decision is that of this instance's share of the limits, divided
// by the last known number of instances; with allow and deny it only says which.
//
// A share goes on from the last that this instance knew of a key's count, and
// what it lets in is added to that once Redis is back. So a burst is not given
// twice, even if Redis has lost everything meanwhile: then the count goes on from
// what the first instance to come back knows.
func (s *Store) Limit(_ context.Context, key policy.Key) (policy.Decision, error) {
	q := s.questions.Get().(*question)
	q.id = key.ID
	var d policy.Decision
	err := s.queue.put(q)
	if err == nil {
		<-q.answered
		d, err = q.decision, q.err
	} else {
		d = s.standIn(key.ID)
	}
	s.questions.Put(q)
	return d, err
}

// standIn returns what holds without the store.
func (s *Store) standIn(id [16]byte) policy.Decision {
	switch s.cfg.OnError {
	case allow:
		return policy.Decision{Allowed: true}
	case deny:
		return policy.Decision{}
	}
	return s.ledger.decide(id, s.instances.Load())
}

// Instances returns how many instances share the limits, this one included, as
// far as is known.
func (s *Store) Instances() int { return int(s.instances.Load()) }

// Keys returns of how many keys the count is kept in mind.
func (s *Store) Keys() int { return s.ledger.keys() }

// Degraded returns whether the store cannot be asked, and since when and why.
func (s *Store) Degraded() (since time.Time, why error, degraded bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == nil {
		return time.Time{}, nil, false
	}
	return s.since, s.lost, true
}

// Decides returns who decides now; nobody does while the store is degraded and
// nothing but allow or deny stands in for it.
func (s *Store) Decides() policy.Store {
	switch _, _, degraded := s.Degraded(); {
	case !degraded:
		return policy.StoreRedis
	case s.cfg.OnError == local:
		return policy.StoreLocal
	}
	return ""
}
