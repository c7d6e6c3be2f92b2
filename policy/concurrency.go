package policy

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/field"
)

// ConcurrencyConfig says how many requests are handled at once. The zero value
// sets no limit.
type ConcurrencyConfig struct {
	Max       int           `env:"MAX_CONCURRENT_REQUESTS" envDefault:"0" min:"0" zero:"no limit" doc:"requests that are handled at once, streams and upgraded connections until they end; 0 sets no limit"`
	Queue     int           `env:"MAX_QUEUE" envDefault:"0" min:"0" needs:"MAX_CONCURRENT_REQUESTS" zero:"none" doc:"requests that may wait for their turn above MAX_CONCURRENT_REQUESTS; with 0 they are refused at once"`
	QueueWait time.Duration `env:"MAX_QUEUE_WAIT" envDefault:"1s" min:"1ms" needs:"MAX_QUEUE" within:"REQUEST_TIMEOUT" doc:"longest time that a request waits for its turn; from a tenth of it on the queue counts as overloaded, and the newest request goes first"`
}

// Concurrency is a limit on the requests that are handled at once. A request holds
// its slot until its handler returns: a stream or an upgraded connection while it
// lasts. A nil Concurrency sets no limit. It is safe for concurrent use.
//
// Requests above that wait in a queue, the oldest first. Once its oldest has
// waited for a tenth of the time that it may, more is coming in than can be
// handled, and with the oldest first each would be handled when hardly anybody
// waits for it any more. Until the queue has got shorter the newest goes first,
// then, and also takes the oldest's place in a queue that is full: most requests
// are answered without delay, at the expense of those that waited in vain.
// (Facebook's adaptive LIFO, B. Maurer, Fail at Scale, ACM Queue 13/8, by the
// time in the queue instead of its length, which says little about it.)
//
// A request is refused, 503 with Retry-After, with these reasons:
//
//	queue_full     there is no room to wait, or a newer one took it
//	queue_timeout  its turn did not come within the longest wait
//	deadline       its turn did not come before its own deadline: 504, as wherever a
//	               request waits when its time is over
//	client_gone    it went away while it waited, which is no refusal
type Concurrency struct {
	refuse Refuse
	hooks  Hooks

	limit, queue int64
	maxWait      time.Duration
	// pressed is how long the oldest request must have waited for the queue to
	// count as one that does not empty any more, rather than as a burst.
	pressed time.Duration

	// held counts the slots in use and the requests in the queue together. Up to
	// limit it is changed without a lock. Above, where all slots are in use, it
	// is changed under mu alone, and says how long the queue is.
	held atomic.Int64

	mu             sync.Mutex
	oldest, newest *waiter
}

// waiter is a request in the queue, between an older and a newer one.
type waiter struct {
	older, newer *waiter
	since        time.Time
	called       chan verdict // has room for the one that is sent
}

// verdict is how the wait for a slot ends: admitted, or a refusal's reason.
type verdict string

const (
	admitted     verdict = ""
	queueFull    verdict = "queue_full"
	queueTimeout verdict = "queue_timeout"
	pastDeadline verdict = "deadline"
	clientGone   verdict = "client_gone"
)

// NewConcurrency returns the limit of cfg, or nil when it sets none.
func NewConcurrency(cfg ConcurrencyConfig, refuse Refuse, hooks Hooks) *Concurrency {
	if cfg.Max == 0 {
		return nil
	}
	return &Concurrency{
		refuse: refuse, hooks: hooks,
		limit: int64(cfg.Max), queue: int64(cfg.Queue), maxWait: cfg.QueueWait, pressed: cfg.QueueWait / 10,
	}
}

// Wrap returns next behind the limit.
func (c *Concurrency) Wrap(next http.Handler) http.Handler {
	if c == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.tryEnter() {
			if v := c.wait(r.Context()); v != admitted {
				c.refuse(w, r, v.refusal(handler.AnswerOf(r)))
				return
			}
		}
		defer c.leave()
		next.ServeHTTP(w, r)
	})
}

// refusal returns why a request is refused that v does not admit, and says in the
// answer when to come again.
func (v verdict) refusal(answer *field.Answer) fault.Refusal {
	if v == clientGone {
		return fault.Refusal{Policy: "concurrency", Reason: string(v), Status: fault.ClientDisconnected.Status(), Type: fault.ClientDisconnected}
	}
	kind := fault.Overloaded
	if v == pastDeadline {
		kind = fault.Timeout
	} else {
		answer.Set("Retry-After", "1")
	}
	return fault.Refusal{
		Policy: "concurrency", Reason: string(v), Status: kind.Status(), Type: kind,
		Detail: "Too many requests are being handled at the moment.",
	}
}

// Active returns how many requests are being handled.
func (c *Concurrency) Active() int64 { return min(c.held.Load(), c.limit) }

// Queued returns how many requests wait for their turn.
func (c *Concurrency) Queued() int64 { return max(c.held.Load()-c.limit, 0) }

// tryEnter takes a slot if one is free. None is while there is a queue: slots
// are passed on to it.
func (c *Concurrency) tryEnter() bool {
	for {
		held := c.held.Load()
		if held >= c.limit {
			return false
		}
		if c.held.CompareAndSwap(held, held+1) {
			return true
		}
	}
}

// leave gives a slot back, to a request in the queue if there is one.
func (c *Concurrency) leave() {
	for {
		held := c.held.Load()
		if held > c.limit {
			if c.passOn() {
				return
			}
		} else if c.held.CompareAndSwap(held, held-1) {
			return
		}
	}
}

// passOn calls a request out of the queue, if there is one.
func (c *Concurrency) passOn() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.oldest
	if next == nil {
		return false
	}
	if c.isPressed(time.Now()) {
		next = c.newest
	}
	c.remove(next, admitted)
	return true
}

// isPressed reports whether the queue does not get shorter. It is for whoever
// holds mu, and sees a queue that is not empty.
func (c *Concurrency) isPressed(now time.Time) bool { return now.Sub(c.oldest.since) >= c.pressed }

// wait takes a slot or waits for one, until ctx ends or too much time has
// passed.
func (c *Concurrency) wait(ctx context.Context) verdict {
	now := time.Now()
	patience, tooLate := c.maxWait, queueTimeout
	if deadline, ok := ctx.Deadline(); ok && deadline.Sub(now) <= patience {
		patience, tooLate = deadline.Sub(now), pastDeadline
	}
	if ended := verdictOf(ctx); ended != admitted {
		return ended
	}
	if patience <= 0 {
		return tooLate
	}
	me, v := c.line(now)
	if me == nil {
		return v
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v = <-me.called:
	case <-timer.C:
		v = c.giveUp(me, tooLate)
	case <-ctx.Done():
		v = c.giveUp(me, verdictOf(ctx))
	}
	if c.hooks.Waited != nil {
		c.hooks.Waited(ctx, time.Since(now))
	}
	if v == admitted {
		// Both may have come at once: nobody waits for the answer.
		if v = verdictOf(ctx); v != admitted {
			c.leave()
		}
	}
	return v
}

// verdictOf says what the end of ctx means for a request, admitted while it
// has not come.
func verdictOf(ctx context.Context) verdict {
	switch ctx.Err() {
	case nil:
		return admitted
	case context.DeadlineExceeded:
		return pastDeadline
	}
	return clientGone
}

// line puts a request at the end of the queue. It returns nil when there is a
// free slot, and the verdict is admitted, or no room.
func (c *Concurrency) line(now time.Time) (*waiter, verdict) {
	if c.queue == 0 {
		return nil, queueFull
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		held := c.held.Load()
		switch {
		case held < c.limit: // since tryEnter
			if c.held.CompareAndSwap(held, held+1) {
				return nil, admitted
			}
			continue
		case held == c.limit+c.queue && !c.isPressed(now):
			return nil, queueFull
		case held == c.limit+c.queue:
			c.remove(c.oldest, queueFull)
			continue
		case !c.held.CompareAndSwap(held, held+1): // a slot has become free
			continue
		}
		me := &waiter{older: c.newest, since: now, called: make(chan verdict, 1)}
		if c.newest = me; me.older == nil {
			c.oldest = me
		} else {
			me.older.newer = me
		}
		return me, admitted
	}
}

// giveUp takes a request out of the queue, unless it was called before: then
// that is what counts.
func (c *Concurrency) giveUp(w *waiter, v verdict) verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case v = <-w.called:
	default:
		c.remove(w, v)
	}
	return v
}

// remove takes w out of the queue and tells it why. It is for whoever holds mu.
// The slot of whoever calls is w's then, if v admits it: w held none.
func (c *Concurrency) remove(w *waiter, v verdict) {
	if w.older == nil {
		c.oldest = w.newer
	} else {
		w.older.newer = w.newer
	}
	if w.newer == nil {
		c.newest = w.older
	} else {
		w.newer.older = w.older
	}
	c.held.Add(-1)
	w.called <- v
}
