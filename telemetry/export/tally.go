package export

import (
	"errors"
	"maps"
)

// outcome is what became of an item, and why.
type outcome struct{ result, cause string }

var (
	exported       = outcome{"exported", ""}
	exportFailed   = outcome{"failed", "export_failed"}
	exportRejected = outcome{"failed", "rejected"}
	exportCut      = outcome{"failed", "shutdown_deadline"}
	queueFull      = outcome{"dropped", "queue_full"}
	queueCut       = outcome{"dropped", "shutdown_deadline"}
	tooLate        = outcome{"dropped", "after_shutdown"}
)

// account is what a batcher knows of its items at one moment.
type account struct {
	queued, taken, capacity int // taken: being exported
	counts                  map[outcome]int64
}

// settle counts the batch that was taken.
func (b *batcher[T]) settle(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.taken
	b.taken = 0
	if err == nil {
		b.count(exported, n)
		return
	}
	if p, ok := errors.AsType[*partial](err); ok {
		rejected := min(p.rejected, n)
		b.count(exportRejected, rejected)
		b.count(exported, n-rejected)
		return
	}
	b.count(exportFailed, n)
}

// count makes no entry for nothing: each would be a series of its own.
func (b *batcher[T]) count(o outcome, n int) {
	if n > 0 {
		b.counts[o] += int64(n)
	}
}

func (b *batcher[T]) giveUp() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := len(b.queue) + b.taken
	b.count(queueCut, len(b.queue))
	b.count(exportCut, b.taken)
	b.queue, b.taken = nil, 0
	return left
}

// account returns where the items are, and what became of the others.
func (b *batcher[T]) account() account {
	b.mu.Lock()
	defer b.mu.Unlock()
	return account{queued: len(b.queue), taken: b.taken, capacity: b.bounds.queue, counts: maps.Clone(b.counts)}
}

// sum returns how many items came to each result.
func (a account) sum() (exported, failed, dropped int64) {
	for o, n := range a.counts {
		switch o.result {
		case "exported":
			exported += n
		case "failed":
			failed += n
		case "dropped":
			dropped += n
		}
	}
	return exported, failed, dropped
}

func (b *batcher[T]) lost() loss {
	a := b.account()
	_, failed, dropped := a.sum()
	return loss{all: failed + dropped, overflow: a.counts[queueFull]}
}
