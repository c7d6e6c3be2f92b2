package policy

import "time"

// gcra is a limit as the generic cell rate algorithm takes it. What it keeps of
// a key is one instant, the theoretical arrival time: when all of the burst may
// be had again. Each request moves it on by one interval, and is let in unless
// that takes it further ahead than the burst reaches. Nothing runs while
// nobody asks, no window begins at which everybody comes at once, and refused
// requests leave no trace.
//
// Instants are nanoseconds since an epoch that is the same for all calls.
type gcra struct {
	limit    Limit // as configured
	interval int64 // between requests, in nanoseconds
	reach    int64 // how far ahead the arrival time may be: interval × burst
}

func newGCRA(limit Limit) gcra {
	interval := int64(limit.Interval())
	return gcra{limit: limit, interval: interval, reach: interval * limit.Burst}
}

// wait returns how long after now a request of a key with that arrival time may
// come in: not at all when it is not positive.
func (g *gcra) wait(arrival, now int64) int64 {
	return max(arrival, now) + g.interval - g.reach - now
}

// next returns the arrival time after a request that comes in now.
func (g *gcra) next(arrival, now int64) int64 { return max(arrival, now) + g.interval }

// left returns how many requests may come in at now.
func (g *gcra) left(arrival, now int64) int64 {
	return max(now+g.reach-max(arrival, now), 0) / g.interval
}

// spent reports whether more than half of the burst is in use at now.
func (g *gcra) spent(arrival, now int64) bool { return arrival-now > g.reach/2 }

// decide says whether a request may come in now under all of limits. Each has
// an arrival time, which moves on if they all let it in.
func decide(limits []gcra, arrivals []int64, now int64) Decision {
	refusing, longest := -1, int64(0)
	for i := range limits {
		if wait := limits[i].wait(arrivals[i], now); wait > longest {
			refusing, longest = i, wait
		}
	}
	if refusing >= 0 {
		return Decision{
			Limit:      limits[refusing].limit,
			Reset:      time.Duration(arrivals[refusing] - now),
			RetryAfter: time.Duration(longest),
		}
	}
	least, share := 0, 2.0
	for i := range limits {
		g := &limits[i]
		arrivals[i] = g.next(arrivals[i], now)
		if s := 1 - float64(arrivals[i]-now)/float64(g.reach); s < share {
			least, share = i, s
		}
	}
	return Decision{
		Allowed:   true,
		Limit:     limits[least].limit,
		Remaining: limits[least].left(arrivals[least], now),
		Reset:     time.Duration(arrivals[least] - now),
	}
}
