package balancer

import (
	"sync"
	"sync/atomic"

	"spangate/handler/config"
)

// reserve is how many retries may be made beyond the share of traffic, and all
// that the requests in flight may take: what a proxy with little traffic needs,
// or one that loses a backend, and with it what is in flight there, until the
// failure is known.
const reserve = 100

// budget keeps retries within a share of all requests, so that they do not
// multiply the load on backends that are failing because of it (Envoy calls
// this a retry budget). What is saved up is bounded by the reserve. A request
// costs one atomic addition; only retries lock.
type budget struct {
	inFlight func() int64
	share    float64
	requests atomic.Int64

	mu      sync.Mutex
	counted int64   // requests that saved is computed from
	saved   float64 // retries that may be made now
}

func newBudget(share config.Percent, inFlight func() int64) *budget {
	b := &budget{share: float64(share), inFlight: inFlight}
	if share > 0 {
		b.saved = reserve
	}
	return b
}

func (b *budget) request() { b.requests.Add(1) }

// take reports whether one more retry may be made, and counts it then.
func (b *budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.save()
	if b.saved < 1 {
		return false
	}
	b.saved--
	return true
}

// left returns how many retries may be made now.
func (b *budget) left() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.save()
	return b.saved
}

func (b *budget) save() {
	requests := b.requests.Load()
	b.saved = min(b.saved+float64(requests-b.counted)*b.share, float64(reserve+b.inFlight()))
	b.counted = requests
}
