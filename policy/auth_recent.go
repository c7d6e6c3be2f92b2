package policy

import (
	"sync"
	"time"
)

// recent remembers for a while what was costly to find out. It holds at most max
// entries: when it is full, any one has to leave for the next. It is safe for
// concurrent use.
type recent[V any] struct {
	max int

	mu      sync.Mutex
	entries map[[32]byte]recentEntry[V]
}

type recentEntry[V any] struct {
	value V
	until time.Time
}

func newRecent[V any](most int) *recent[V] {
	return &recent[V]{max: most, entries: map[[32]byte]recentEntry[V]{}}
}

func (r *recent[V]) get(key [32]byte) (value V, ok bool) {
	r.mu.Lock()
	e, ok := r.entries[key]
	r.mu.Unlock()
	if !ok || !time.Now().Before(e.until) {
		return value, false
	}
	return e.value, true
}

func (r *recent[V]) put(key [32]byte, value V, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.entries[key]; !there && len(r.entries) >= r.max {
		for leaving := range r.entries {
			delete(r.entries, leaving)
			break
		}
	}
	r.entries[key] = recentEntry[V]{value, until}
}
