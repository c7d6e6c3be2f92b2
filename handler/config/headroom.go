package config

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// headroom has the heap grow by so much between two collections of garbage that
// these cost next to nothing, and by no more: in percent that is a lot for a heap of
// a few megabytes, and for that of thousands of connections several times the memory,
// which buys little CPU.
type headroom struct {
	most int64 // bytes

	mu      sync.Mutex
	percent int // in force; 0: none yet
	stopped bool
}

const (
	mostHeadroom = 24 << 20
	mostGrowth   = 400 // percent
	leastGrowth  = 50
)

// headroomWithin returns the most that a heap grows by where so much memory may be
// used.
func headroomWithin(limit MemoryLimit) int64 { return min(mostHeadroom, int64(limit)/16) }

// growth returns the percent by which live bytes may grow.
func (h *headroom) growth(live int64) int {
	return int(min(max(h.most*100/max(live, 1), leastGrowth), mostGrowth))
}

// adjust has the runtime heed what lives now, and calls itself after each collection.
func (h *headroom) adjust() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return
	}
	percent := h.growth(liveBytes())
	if change := max(percent-h.percent, h.percent-percent); change > h.percent/8 { // all goroutines stop for it
		h.percent = percent
		debug.SetGCPercent(percent)
	}
	// Not a cleanup, which waits for the whole heap to be swept, while that grows by
	// what is in force: right after the heap has become large, by far too much. This
	// is done as soon as the object itself is swept, and those of its size are early.
	runtime.SetFinalizer(&collected{}, func(*collected) { h.adjust() })
}

func (h *headroom) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
}

// collected is what nobody holds, so that it goes with the next collection. It has a
// pointer, as what has none may share its memory with what lives.
type collected struct{ _ *collected }

// liveBytes returns what the growth is in percent of: what the latest collection found
// in use.
func liveBytes() (sum int64) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(samples)
	for _, s := range samples {
		sum += int64(s.Value.Uint64())
	}
	return sum
}
