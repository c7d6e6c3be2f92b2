package config

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// headroom has the heap grow by so much between two collections of garbage that
// these cost next to nothing, and by no more: in percent that is a lot for a heap of
// a few megabytes, and for that of thousands of connections several times the memory,
// which buys little CPU.
//
// It gives memory back once there is no need for it any more: the runtime would keep
// what the heap has been, and collect no garbage while none is made.
type headroom struct {
	most  int64 // bytes
	quiet time.Duration

	mu      sync.Mutex
	percent int         // in force; 0: none yet
	rest    *time.Timer // until there may have been little to do; nil: nothing has been collected
	made    int64       // bytes allocated until it began
	resting bool        // the next collection is ours
	stopped bool
}

const (
	mostHeadroom = 8 << 20
	mostGrowth   = 400 // percent
	leastGrowth  = 33

	// quietFor is how long no more than little is allocated when there is not much to do.
	quietFor = 2 * time.Second
	little   = 1 << 20
	// worthwhile is as many bytes as are worth another collection.
	worthwhile = 4 << 20
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
	if h.rest == nil {
		h.rest = time.AfterFunc(h.quiet, h.giveBack)
	} else if !h.resting {
		h.rest.Reset(h.quiet)
	}
	h.resting = false
	// Not a cleanup, which waits for the whole heap to be swept, while that grows by
	// what is in force: right after the heap has become large, by far too much. This
	// is done as soon as the object itself is swept, and those of its size are early.
	runtime.SetFinalizer(&collected{}, func(*collected) { h.adjust() })
}

func (h *headroom) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	if h.rest != nil {
		h.rest.Stop()
	}
}

// giveBack returns to the system what is not in use, if there is little to do. As long
// as that is worth it, it does so again: each collection halves the stacks of which
// little is used, and finds what has ended meanwhile.
func (h *headroom) giveBack() {
	if !h.idles() {
		return
	}
	before := bytesHeld()
	debug.FreeOSMemory()
	if before-bytesHeld() < worthwhile {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.stopped {
		h.rest.Reset(h.quiet)
	}
}

// idles reports whether no more than little was allocated since it was asked last. If
// not, it has giveBack called again.
func (h *headroom) idles() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	made := bytesMade()
	h.resting = made-h.made <= little && !h.stopped
	h.made = made
	if !h.resting && !h.stopped {
		h.rest.Reset(h.quiet)
	}
	return h.resting
}

// bytesMade returns how many were ever allocated.
func bytesMade() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// collected is what nobody holds, so that it goes with the next collection. It has a
// pointer, as what has none may share its memory with what lives.
type collected struct{ _ *collected }

// bytesHeld returns how many the runtime has of the system.
func bytesHeld() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}

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
