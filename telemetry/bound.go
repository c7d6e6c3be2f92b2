package telemetry

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"

	"spangate/telemetry/export/series"
)

// bound keeps the series of each key ready to record with, as to find them by their
// attributes costs more than to record. Keys have few values by design: none of what
// they hold comes from a client as it is. Those that came first are mostly those that go
// on coming, and are told by comparing, which costs a tenth of a look-up. Readers do not
// lock.
type bound[K comparable, S any] struct {
	bind    func(K) *S
	nothing bool // is recorded: one series is as good as another
	none    *S
	current atomic.Pointer[known[K, S]]
	mu      sync.Mutex // held to add
}

// known is the series that there are.
type known[K comparable, S any] struct {
	first []pair[K, S]
	all   map[K]*S
}

type pair[K comparable, S any] struct {
	key    K
	series *S
}

// maxFirst is how many series are looked at one after the other.
const maxFirst = 4

// bind returns what has the series of no key yet, which by makes.
func bind[K comparable, S any](m *meter, by func(K) *S) *bound[K, S] {
	b := &bound[K, S]{bind: by, nothing: m.Meter == nil}
	if b.nothing {
		var whichever K
		b.none = by(whichever)
	}
	return b
}

// counted returns the series of the counter of that name, by what attributes makes of
// each key.
func counted[K comparable](m *meter, name string, attributes func(K) []attribute.KeyValue) *bound[K, series.Sum] {
	counter := m.counter(name)
	return bind(m, func(key K) *series.Sum { return counter.Of(m.with(attributes(key)...)...) })
}

// of returns the series of key, and makes them when they are not there yet.
func (b *bound[K, S]) of(key K) *S {
	if b.nothing {
		return b.none
	}
	if known := b.current.Load(); known != nil {
		for i := range known.first {
			if p := &known.first[i]; p.key == key {
				return p.series
			}
		}
		if s, ok := known.all[key]; ok {
			return s
		}
	}
	return b.insert(key)
}

func (b *bound[K, S]) insert(key K) *S {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := known[K, S]{all: map[K]*S{}}
	if have := b.current.Load(); have != nil {
		if s := have.all[key]; s != nil { // who came before has made it
			return s
		}
		next = known[K, S]{have.first, maps.Clone(have.all)}
	}
	s := b.bind(key)
	next.all[key] = s
	if len(next.first) < maxFirst {
		next.first = append(slices.Clip(next.first), pair[K, S]{key, s})
	}
	b.current.Store(&next)
	return s
}

// recent are the series that one request was recorded with before, which are mostly
// those that it is recorded with in the end.
type recent[K comparable, S any] struct {
	key    K
	series *S
}

// of returns the series of key.
func (r *recent[K, S]) of(all *bound[K, S], key K) *S {
	if r.series == nil || r.key != key {
		r.key, r.series = key, all.of(key)
	}
	return r.series
}
