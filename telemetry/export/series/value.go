package series

import (
	"math"
	"time"
)

// number is how readers are told of values: whole ones as they are, durations as
// seconds, which are the only ones that are not whole.
type number interface{ int64 | float64 }

func whole[N number]() bool { return N(1)/2 == 0 }

func valueOf[N number](v int64) N {
	if whole[N]() {
		return N(v)
	}
	return N(time.Duration(v).Seconds())
}

// bounded returns the greatest value that is told as no more than bound.
func bounded[N number](bound float64) int64 {
	scaled := bound
	if !whole[N]() {
		scaled *= float64(time.Second)
	}
	switch {
	case scaled >= math.MaxInt64:
		return math.MaxInt64
	case scaled <= math.MinInt64:
		return math.MinInt64
	}
	v := int64(math.Floor(scaled))
	for v < math.MaxInt64 && float64(valueOf[N](v+1)) <= bound {
		v++
	}
	for v > math.MinInt64 && float64(valueOf[N](v)) > bound {
		v--
	}
	return v
}

// lowBits are those of a value that sums of them are added up in apart: so not even the
// nanoseconds of streams that were open for weeks run over.
const lowBits = 40

// total is a sum of values.
type total struct{ high, low int64 }

func split(v int64) total { return total{v >> lowBits, v & (1<<lowBits - 1)} }

func (t *total) add(more total) {
	low := t.low + more.low
	t.high += more.high + low>>lowBits
	t.low = low & (1<<lowBits - 1)
}

func totalOf[N number](t total) N {
	if whole[N]() {
		return N(t.high<<lowBits + t.low)
	}
	return N((float64(t.high)*(1<<lowBits) + float64(t.low)) / float64(time.Second))
}
