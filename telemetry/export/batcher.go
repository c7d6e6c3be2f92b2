package export

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"spangate/telemetry/export/queue"
)

// batcher gathers items and exports them in batches, in the order in which
// they came. It accounts for every one of them: items added = exported +
// failed + dropped, once shutdown has returned. Who adds one takes no lock.
//
// The SDK's own batch processors count what a full queue drops only on
// request, and what is left at a shutdown's deadline not at all.
type batcher[T any] struct {
	export func(context.Context, []T) error // never called concurrently, and keeps nothing of a batch
	bounds bounds

	queue    queue.Queue[T]
	waiting  atomic.Int64 // in the queue and in the backlog, or about to be
	overflow atomic.Int64 // dropped, as too many waited
	late     atomic.Int64 // dropped, as they came after closed
	closed   atomic.Bool  // a shutdown has begun
	over     atomic.Bool  // nobody takes from the queue any more

	ctx     context.Context // of the exports; ended by a shutdown's deadline
	cancel  context.CancelFunc
	wake    chan struct{} // a batch is full; holds one
	hurry   chan struct{} // somebody wants all that is queued exported; holds one
	closing chan struct{}
	done    chan struct{} // run has returned

	mu      sync.Mutex
	backlog []*queue.Item[T] // taken from the queue, and not yet for a batch
	taken   int              // being exported and not yet counted
	written bool             // and with the collector, which has not answered
	hurried *hurry           // nil when nobody wants it
	counts  map[outcome]int64
}

// hurry is what those wait for who want all that is queued exported.
type hurry struct {
	sent  chan struct{} // closed when the collector has it, or will not get it
	ended chan struct{} // closed when the collector has answered, or was given up
}

// newBatcher starts the batcher; shutdown stops it.
func newBatcher[T any](b bounds, export func(context.Context, []T) error) *batcher[T] {
	n := &batcher[T]{
		export:  export,
		bounds:  b,
		wake:    make(chan struct{}, 1),
		hurry:   make(chan struct{}, 1),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
		counts:  map[outcome]int64{exported: 0},
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	go n.run()
	return n
}

// add queues an item, or drops it when the queue is full. It never waits for
// an export.
func (b *batcher[T]) add(value T) { b.enqueue(&queue.Item[T]{Value: value}) }

// enqueue is add for an item that has its place in a queue. It reports whether the item
// is the batcher's now.
func (b *batcher[T]) enqueue(item *queue.Item[T]) (queued bool) {
	if b.closed.Load() {
		b.late.Add(1)
		return false
	}
	waiting := b.waiting.Add(1)
	queued = waiting <= int64(b.bounds.queue)
	if queued {
		b.queue.Push(item)
	} else {
		b.waiting.Add(-1)
		b.overflow.Add(1)
		waiting--
	}
	if waiting >= int64(b.bounds.batch) {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
	if b.over.Load() {
		b.sweep()
	}
	return queued
}

// sweep counts what was added when nobody took from the queue any more.
func (b *batcher[T]) sweep() {
	left := int64(len(b.queue.Take(nil)))
	b.waiting.Add(-left)
	b.late.Add(left)
}

func (b *batcher[T]) run() {
	defer close(b.done)
	defer b.sweep()
	defer b.over.Store(true)
	timer := time.NewTimer(b.bounds.delay)
	for {
		select {
		case <-timer.C:
			b.send(b.all(), nil)
		case <-b.wake:
			n := b.all()
			b.send(n-n%b.bounds.batch, nil)
		case <-b.hurry:
			b.mu.Lock()
			hurried := b.hurried
			b.hurried = nil
			b.mu.Unlock()
			sent := sync.OnceFunc(func() { close(hurried.sent) })
			b.send(b.all(), sent)
			sent()
			close(hurried.ended)
		case <-b.closing:
			b.send(b.all(), nil)
			return
		}
		timer.Reset(b.bounds.delay)
	}
}

// all returns how many wait.
func (b *batcher[T]) all() int { return int(b.waiting.Load()) }

// send exports the n oldest items, or fewer when a shutdown took them away. It
// calls sent, if there is one, when the last of them are with the collector.
func (b *batcher[T]) send(n int, sent func()) {
	for n > 0 {
		items := b.take(min(n, b.bounds.batch))
		if len(items) == 0 {
			return
		}
		batch := make([]T, len(items))
		for i, item := range items {
			batch[i] = item.Value
		}
		n -= len(batch)
		last := n <= 0
		err := b.exportInTime(batch, func(written bool) {
			b.mu.Lock()
			b.written = written
			b.mu.Unlock()
			if written && last && sent != nil {
				sent()
			}
		})
		b.settle(err)
		for _, item := range items {
			if item.Release != nil {
				item.Release()
			}
		}
	}
}

// stopped is how much later than due a deadline is met when the CPU was
// stopped, rather than busy.
const stopped = time.Second

// exportInTime gives an export its time, and again when the CPU was stopped in
// the meantime: its deadline then passed while nothing could be done.
func (b *batcher[T]) exportInTime(batch []T, is func(written bool)) error {
	for {
		deadline := time.Now().Add(b.bounds.timeout)
		ctx, cancel := context.WithDeadline(whenWritten(b.ctx, is), deadline)
		err := b.export(ctx, batch)
		cancel()
		if err == nil || b.ctx.Err() != nil || time.Since(deadline) < stopped {
			return err
		}
	}
}

// take returns the n oldest items, or fewer.
func (b *batcher[T]) take(n int) []*queue.Item[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.backlog) < n {
		b.backlog = b.queue.Take(b.backlog)
	}
	n = min(n, len(b.backlog))
	items := slices.Clone(b.backlog[:n])
	b.backlog = slices.Delete(b.backlog, 0, n)
	b.waiting.Add(-int64(n))
	b.taken, b.written = n, false
	return items
}

// exportNow begins to export what is queued, without waiting for a timer; it
// returns nil when there is nothing that the collector does not have. What a
// shutdown takes away is left to the shutdown.
func (b *batcher[T]) exportNow() *hurry {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting.Load() == 0 && (b.taken == 0 || b.written) {
		return nil
	}
	return b.inAHurry()
}

// inAHurry returns what to wait for. The caller holds mu.
func (b *batcher[T]) inAHurry() *hurry {
	if b.hurried == nil {
		b.hurried = &hurry{make(chan struct{}), make(chan struct{})}
		b.hurry <- struct{}{}
	}
	return b.hurried
}

// drain exports what is queued now, and returns when that has ended.
func (b *batcher[T]) drain(ctx context.Context) error {
	b.mu.Lock()
	if b.waiting.Load() == 0 && b.taken == 0 {
		b.mu.Unlock()
		return nil
	}
	hurry := b.inAHurry()
	b.mu.Unlock()
	select {
	case <-hurry.ended:
		return nil
	case <-b.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// shutdown exports what is queued and takes nothing more. When ctx ends first,
// what is left is given up and counted; an export that runs is told to end, but
// not waited for. Not safe for concurrent use with itself.
func (b *batcher[T]) shutdown(ctx context.Context) error {
	b.closed.Store(true)
	close(b.closing)
	defer b.cancel()
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		if left := b.giveUp(); left > 0 {
			return fmt.Errorf("%d not exported: %w", left, context.Cause(ctx))
		}
		return nil
	}
}
