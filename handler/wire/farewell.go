package wire

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"spangate/handler/clock"
)

// farewellTick is how often a drain looks who is to be told next.
const farewellTick = 20 * time.Millisecond

// farewells are what is to be done at a drain, each at a moment of its own: clients
// that are sent away all at once come back all at once. The zero value is ready to
// use. It is safe for concurrent use.
type farewells struct {
	mu      sync.Mutex
	waiting map[*farewell]struct{}
}

type farewell struct {
	say  func()
	said chan struct{}
}

type farewellsKey struct{}

// OnFarewell has f called, on a goroutine of its own, should the server that ctx is
// a request's of be told to leave: at a random moment, early enough that what f
// begins can come to its end within the drain. The returned function says that
// there is nothing to be told any more, and returns once f is not running, nor will.
// Beyond [Serve] f is never called.
func OnFarewell(ctx context.Context, f func()) (forget func()) {
	all, _ := ctx.Value(farewellsKey{}).(*farewells)
	if all == nil {
		return func() {}
	}
	one := &farewell{f, make(chan struct{})}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.waiting == nil {
		all.waiting = map[*farewell]struct{}{}
	}
	all.waiting[one] = struct{}{}
	return func() {
		if !all.drop(one) {
			<-one.said
		}
	}
}

// drop reports whether one was still waiting.
func (all *farewells) drop(one *farewell) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	_, waiting := all.waiting[one]
	delete(all.waiting, one)
	return waiting
}

// say tells all that wait, each at a moment within d that is as likely as any other,
// and who comes later without delay, until ctx is done.
func (all *farewells) say(ctx context.Context, d time.Duration) {
	for end := time.Now().Add(d); ; {
		all.some(float64(farewellTick) / float64(max(time.Until(end), farewellTick)))
		if clock.Sleep(ctx, farewellTick) != nil {
			return
		}
	}
}

// some tells a share of those that wait, 1 being all.
func (all *farewells) some(share float64) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for one := range all.waiting {
		if share >= 1 || rand.Float64() < share {
			delete(all.waiting, one)
			go func() {
				defer close(one.said)
				one.say()
			}()
		}
	}
}
