package balancer

import (
	"math"
	"sync/atomic"
	"time"
)

// Tally is how many attempts were made, and how many of them failed.
type Tally struct{ Attempts, Failures int64 }

// share returns the share that failed; 0 where none was made.
func (t Tally) share() float64 {
	if t.Attempts == 0 {
		return 0
	}
	return float64(t.Failures) / float64(t.Attempts)
}

// The sides that attempts are tallied of.
const (
	canarySide = iota
	stableSide
	sides
)

// tallies count attempts of the latest time, give or take a tenth of it. To count one
// costs two atomic additions; nobody locks.
type tallies struct {
	start time.Time
	tick  time.Duration
	slots [ticks]atomic.Pointer[slot]
}

// forEver is a time after which nothing is forgotten.
const forEver = math.MaxInt64

// ticks is in how many parts the time is counted, each of which is forgotten at once.
const ticks = 10

// slot counts what came to an end in one tick.
type slot struct {
	tick int64 // its number
	of   [sides]struct{ attempts, failures atomic.Int64 }
}

func newTallies(within time.Duration) *tallies {
	return &tallies{start: time.Now(), tick: max(within/ticks, 1)}
}

func (t *tallies) number(now time.Time) int64 { return int64(now.Sub(t.start) / t.tick) }

// add counts an attempt of that side.
func (t *tallies) add(side int, failed bool, now time.Time) {
	of := &t.slot(t.number(now)).of[side]
	of.attempts.Add(1)
	if failed {
		of.failures.Add(1)
	}
}

// slot returns that of a tick, or a later one that has taken its place.
func (t *tallies) slot(tick int64) *slot {
	place := &t.slots[tick%ticks]
	for {
		s := place.Load()
		if s != nil && s.tick >= tick {
			return s
		}
		if next := (&slot{tick: tick}); place.CompareAndSwap(s, next) {
			return next
		}
	}
}

// both returns what was counted of the two sides.
func (t *tallies) both(now time.Time) (canary, stable Tally) {
	return t.sum(canarySide, now), t.sum(stableSide, now)
}

// sum returns what was counted of that side.
func (t *tallies) sum(side int, now time.Time) (all Tally) {
	oldest := t.number(now) - ticks + 1
	for i := range t.slots {
		if s := t.slots[i].Load(); s != nil && s.tick >= oldest {
			all.Attempts += s.of[side].attempts.Load()
			all.Failures += s.of[side].failures.Load()
		}
	}
	return all
}
