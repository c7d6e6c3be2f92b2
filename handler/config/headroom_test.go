package config

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// The heap of few connections may grow by several times its size, that of many by a
// fixed number of bytes.
func TestHeadroom(t *testing.T) {
	for _, test := range []struct {
		limit, live int64
		want        int // percent
	}{
		{limit: int64(noLimit), live: 0, want: 400},
		{limit: int64(noLimit), live: 2 << 20, want: 400},
		{limit: int64(noLimit), live: 4 << 20, want: 200},
		{limit: int64(noLimit), live: 16 << 20, want: 50},
		{limit: int64(noLimit), live: 1 << 30, want: 33},
		{limit: 64 << 20, live: 4 << 20, want: 100},
		{limit: 64 << 20, live: 64 << 20, want: 33},
	} {
		h := &headroom{most: headroomWithin(MemoryLimit(test.limit))}
		if got := h.growth(test.live); got != test.want {
			t.Errorf("%d bytes within %d may grow by %d %%, want %d %%", test.live, test.limit, got, test.want)
		}
	}
}

// What the runtime is told follows the heap, until that is stopped.
func TestHeadroomFollowsTheHeap(t *testing.T) {
	before := debug.SetGCPercent(100)
	limit := debug.SetMemoryLimit(-1)
	t.Cleanup(func() {
		debug.SetGCPercent(before)
		debug.SetMemoryLimit(limit)
	})
	stop := Memory{Growth: AutoGrowth, Limit: noLimit}.Apply()
	inForce := func() int {
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		return int(sample[0].Value.Uint64())
	}
	comesTo := func(low, high int) {
		t.Helper()
		for range 1000 { // what is told goes on beside the collection
			runtime.GC()
			if got := inForce(); low <= got && got <= high {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Errorf("the heap may grow by %d %%, want %d to %d %%", inForce(), low, high)
	}
	comesTo(mostGrowth, mostGrowth)
	held := make([]byte, 64<<20)
	comesTo(leastGrowth, 60)
	runtime.KeepAlive(held)
	held = nil
	comesTo(mostGrowth, mostGrowth)
	stop()
	debug.SetGCPercent(77)
	for range 3 {
		runtime.GC()
	}
	if got := inForce(); got != 77 {
		t.Errorf("the heap may grow by %d %% though nobody follows it, want 77 %%", got)
	}
}

// What a burst has taken is given back, though no garbage is made after it.
func TestMemoryIsGivenBack(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	h := &headroom{most: mostHeadroom, quiet: time.Millisecond}
	t.Cleanup(h.stop)
	h.adjust()
	burst := make([][]byte, 64)
	for i := range burst {
		burst[i] = bytes.Repeat([]byte{1}, 1<<20)
	}
	most := bytesHeld()
	runtime.KeepAlive(burst)
	runtime.GC()
	collections := forced()
	for end := time.Now().Add(20 * time.Second); bytesHeld() > most-60<<20 || forced() == collections; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are held, of %d after a burst of 64 MiB; %d more collections", bytesHeld(), most, forced()-collections)
		}
	}
}

// forced returns how many collections somebody has asked for.
func forced() int64 {
	sample := []metrics.Sample{{Name: "/gc/cycles/forced:gc-cycles"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}
