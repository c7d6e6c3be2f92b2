package setup

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// batcher gathers items and exports them in batches, in the order in which
// they came. It accounts for every one of them: items added = exported +
// failed + dropped, once shutdown has returned.
//
// The SDK's own batch processors count what a full queue drops only on
// request, and what is left at a shutdown's deadline not at all.
type batcher[T any] struct {
	export func(context.Context, []T) error // never called concurrently
	bounds bounds

	ctx     context.Context // of the exports; ended by a shutdown's deadline
	cancel  context.CancelFunc
	wake    chan struct{}      // a batch is full; holds one
	flushes chan chan struct{} // each is closed when what was queued is exported
	closing chan struct{}
	done    chan struct{} // run has returned

	mu     sync.Mutex
	closed bool
	queue  []T
	taken  int // being exported and not yet counted
	counts map[outcome]int64
}

// newBatcher starts the batcher; shutdown stops it.
func newBatcher[T any](b bounds, export func(context.Context, []T) error) *batcher[T] {
	n := &batcher[T]{
		export:  export,
		bounds:  b,
		wake:    make(chan struct{}, 1),
		flushes: make(chan chan struct{}),
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
func (b *batcher[T]) add(item T) {
	b.mu.Lock()
	switch {
	case b.closed:
		b.counts[tooLate]++
	case len(b.queue) >= b.bounds.queue:
		b.counts[queueFull]++
	default:
		b.queue = append(b.queue, item)
	}
	full := len(b.queue) >= b.bounds.batch
	b.mu.Unlock()
	if full {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
}

func (b *batcher[T]) run() {
	defer close(b.done)
	timer := time.NewTimer(b.bounds.delay)
	for {
		select {
		case <-timer.C:
			b.send(b.waiting())
		case <-b.wake:
			n := b.waiting()
			b.send(n - n%b.bounds.batch)
		case flushed := <-b.flushes:
			b.send(b.waiting())
			close(flushed)
		case <-b.closing:
			b.send(b.waiting())
			return
		}
		timer.Reset(b.bounds.delay)
	}
}

func (b *batcher[T]) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)
}

// send exports the n oldest items, or fewer when a shutdown took them away.
func (b *batcher[T]) send(n int) {
	for n > 0 {
		batch := b.take(min(n, b.bounds.batch))
		if len(batch) == 0 {
			return
		}
		n -= len(batch)
		ctx, cancel := context.WithTimeout(b.ctx, b.bounds.timeout)
		err := b.export(ctx, batch)
		cancel()
		b.settle(err)
	}
}

func (b *batcher[T]) take(n int) []T {
	batch := make([]T, n) // before the lock that requests wait for
	b.mu.Lock()
	defer b.mu.Unlock()
	n = copy(batch, b.queue)
	rest := copy(b.queue, b.queue[n:])
	clear(b.queue[rest:])
	b.queue = b.queue[:rest]
	b.taken = n
	return batch[:n]
}

// flush exports what is queued now.
func (b *batcher[T]) flush(ctx context.Context) error {
	flushed := make(chan struct{})
	select {
	case b.flushes <- flushed:
	case <-b.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-flushed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// shutdown exports what is queued and takes nothing more. When ctx ends first,
// what is left is given up and counted; an export that runs is told to end, but
// not waited for. Not safe for concurrent use with itself.
func (b *batcher[T]) shutdown(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
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
