package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"

	"spangate/telemetry/export/series"
)

// bound keeps the series of each key ready to record with, as to find them by their
// attributes costs more than to record. Keys have few values by design: none of what
// they hold comes from a client as it is. Readers do not lock.
type bound[K comparable, S any] struct {
	bind    func(K) *S
	nothing bool // is recorded: one series is as good as another
	none    *S
	current atomic.Pointer[map[K]*S]
	mu      sync.Mutex // held to add
}

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
	if all := b.current.Load(); all != nil {
		if s, ok := (*all)[key]; ok {
			return s
		}
	}
	return b.insert(key)
}

func (b *bound[K, S]) insert(key K) *S {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[K]*S{}
	if have := b.current.Load(); have != nil {
		all = maps.Clone(*have)
	}
	if all[key] == nil { // who came before may have made it
		all[key] = b.bind(key)
	}
	b.current.Store(&all)
	return all[key]
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
