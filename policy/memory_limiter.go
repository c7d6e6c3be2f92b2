package policy

import (
	"context"
	"hash/maphash"
	"sync/atomic"
	"time"
)

// MemoryLimiter keeps the counts of at most a fixed number of keys in this
// process. It starts no goroutine and no timer, and takes memory as keys come: there may
// be a limiter for each route. It is safe for concurrent use.
//
// When there is no room for a new key, the one goes that was used least
// recently: it is the least likely to be missed. A key that has spent more than
// half of a burst stays nevertheless, as long as such keys are not the
// majority: keys are cheap to invent, and whoever wants a count forgotten would
// otherwise invent enough of them. A key whose bursts are whole again can leave
// at any time, since one that is not held has just that.
type MemoryLimiter struct {
	limits []gcra
	epoch  time.Time
	seed   maphash.Seed
	spare  atomic.Int64            // keys that may still be held, beside the first of each shard
	most   int                     // chains that each shard has
	shards []atomic.Pointer[shard] // nil: nobody has asked for a key of it yet
}

// maxShards and minShardKeys bound how finely the keys are divided, each part
// having a lock of its own.
const (
	maxShards    = 64
	minShardKeys = 256
)

// NewMemoryLimiter returns a limiter that holds each key to all of limits, and
// keeps at most maxKeys of them, but at least one. There must be a limit, and
// no more than there are units.
func NewMemoryLimiter(limits Limits, maxKeys int) *MemoryLimiter {
	m := &MemoryLimiter{epoch: time.Now(), seed: maphash.MakeSeed()}
	for _, limit := range limits {
		m.limits = append(m.limits, newGCRA(limit))
	}
	n := 1
	for n < maxShards && 2*n*minShardKeys <= maxKeys {
		n *= 2
	}
	// Each shard may always hold one key. So it always has one to give up, while
	// all share the rest: none is short of room as long as another has some.
	m.spare.Store(int64(max(maxKeys-n, 0)))
	m.most, m.shards = max(maxKeys/n, 1), make([]atomic.Pointer[shard], n)
	return m
}

// shard returns the one of keys with that hash.
func (m *MemoryLimiter) shard(hash uint64) *shard {
	at := &m.shards[hash%uint64(len(m.shards))]
	if s := at.Load(); s != nil {
		return s
	}
	at.CompareAndSwap(nil, newShard(m.seed, m.most, len(m.limits), &m.spare)) // unless somebody else has just made it
	return at.Load()
}

// Limit is the [Limiter]. It returns no error.
func (m *MemoryLimiter) Limit(_ context.Context, key Key) (Decision, error) {
	now := int64(time.Since(m.epoch)) // monotonic
	hash := hashOf(m.seed, key.ID)
	d := m.shard(hash).decide(key.ID, hash, m.limits, now)
	d.Store = StoreMemory
	return d, nil
}

// Keys returns how many keys are held.
func (m *MemoryLimiter) Keys() int {
	n := 0
	for i := range m.shards {
		if s := m.shards[i].Load(); s != nil {
			n += s.len()
		}
	}
	return n
}
