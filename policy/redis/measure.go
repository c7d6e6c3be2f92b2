package redis

import (
	"math/bits"
	"strconv"
	"time"

	"spangate/policy"
)

// measure is a limit as the generic cell rate algorithm takes it: an interval
// between requests, and how far ahead of the clock the arrival time that they
// move on may be. The store counts without rounding, in microseconds and parts
// of one, see gcra.lua. The instance counts in nanoseconds.
type measure struct {
	limit policy.Limit

	every, everyRest uint64 // the interval: microseconds, and the rest in parts
	parts            uint64 // of a microsecond: as many as the limit has requests
	reach, reachRest uint64 // the same for the burst

	interval int64 // in nanoseconds
	ahead    int64 // reach, in nanoseconds
}

func newMeasure(l policy.Limit) measure {
	m := measure{limit: l, parts: uint64(l.Requests), interval: int64(l.Interval())}
	per := uint64(l.Per.Microseconds())
	m.every, m.everyRest = per/m.parts, per%m.parts
	high, low := bits.Mul64(per, uint64(l.Burst))
	m.reach, m.reachRest = bits.Div64(high, low, m.parts)
	m.ahead = m.nanos(m.reach, m.reachRest)
	return m
}

// args are what gcra.lua is told of the limit.
func (m *measure) args() []any {
	var all []any
	for _, n := range []uint64{m.every, m.everyRest, m.parts, m.reach, m.reachRest} {
		all = append(all, strconv.FormatUint(n, 10))
	}
	return all
}

func (m *measure) nanos(us, rest uint64) int64 {
	high, low := bits.Mul64(rest, 1000)
	fraction, _ := bits.Div64(high, low, m.parts)
	return int64(us*1000 + fraction)
}

// left returns how many requests may come in while the arrival time is that far
// ahead.
func (m *measure) left(us, rest uint64) int64 {
	// In parts, of which reach has so many that they need two words.
	high, low := bits.Mul64(us, m.parts)
	low, carry := bits.Add64(low, rest, 0)
	high += carry
	reachHigh, reachLow := bits.Mul64(m.reach, m.parts)
	reachLow, carry = bits.Add64(reachLow, m.reachRest, 0)
	reachHigh += carry
	low, borrow := bits.Sub64(reachLow, low, 0)
	high, borrow = bits.Sub64(reachHigh, high, borrow)
	if borrow > 0 {
		return 0
	}
	n, _ := bits.Div64(high, low, uint64(m.limit.Per.Microseconds()))
	return int64(n)
}

// standing returns how a key stands whose arrival time is that far ahead.
func (m *measure) standing(us, rest uint64) standing {
	st := standing{ahead: m.nanos(us, rest), left: m.left(us, rest)}
	st.portion = 1 - float64(st.ahead)/float64(m.ahead)
	next, nextRest := us+m.every, rest+m.everyRest
	if nextRest >= m.parts {
		next, nextRest = next+1, nextRest-m.parts
	}
	if nextRest > m.reachRest {
		next++
	}
	st.wait = (int64(next) - int64(m.reach)) * 1000
	return st
}

// share is what one of several instances may let in of a limit: as far ahead,
// by longer steps. Its arrival time means the same as that of the whole.
type share struct{ interval, ahead int64 }

func (m *measure) share(instances int64) share {
	interval := m.interval * instances
	return share{interval, max(m.ahead, interval)} // one may always come
}

// standing is how a key stands with one limit, once a request has been decided.
type standing struct {
	ahead   int64 // of its arrival time, in nanoseconds
	left    int64 // requests that may come
	wait    int64 // until one may, for one that was refused; not positive if this limit would let it in
	portion float64
}

// decision returns what follows from how a key stands with each limit.
func decision(measures []measure, standings []standing, allowed bool, store policy.Store) policy.Decision {
	i := 0
	for j := range standings {
		if allowed && standings[j].portion < standings[i].portion || !allowed && standings[j].wait > standings[i].wait {
			i = j
		}
	}
	d := policy.Decision{Allowed: allowed, Limit: measures[i].limit, Reset: time.Duration(standings[i].ahead), Store: store}
	if allowed {
		d.Remaining = standings[i].left
	} else {
		d.RetryAfter = time.Duration(standings[i].wait)
	}
	return d
}
