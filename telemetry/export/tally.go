package export

import "maps"

// outcome is what became of an item, and why.
type outcome struct{ result, cause string }

var (
	exported       = outcome{"exported", ""}
	exportFailed   = outcome{"failed", "export_failed"}
	exportRejected = outcome{"failed", "rejected"}
	exportCut      = outcome{"failed", "shutdown_deadline"}
	queueFull      = outcome{"dropped", "queue_full"}
	queueCut       = outcome{"dropped", "shutdown_deadline"}
	tooLate        = outcome{"dropped", "already_shutdown"}
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
	for outcome, n := range outcomes(n, err) {
		b.count(outcome, int(n))
	}
}

// count makes no entry for nothing: each would be a series of its own.
func (b *batcher[T]) count(o outcome, n int) {
	if n > 0 {
		b.counts[o] += int64(n)
	}
}

// giveUp counts what waits as dropped and what is being exported as failed, and
// returns how many these are.
func (b *batcher[T]) giveUp() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over.Store(true)
	b.backlog = b.queue.Take(b.backlog)
	queued, left := len(b.backlog), len(b.backlog)+b.taken
	b.count(queueCut, queued)
	b.count(exportCut, b.taken)
	b.waiting.Add(-int64(queued))
	b.backlog, b.taken = nil, 0
	return left
}

// account returns where the items are, and what became of the others.
func (b *batcher[T]) account() account {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := account{queued: b.all(), taken: b.taken, capacity: b.bounds.queue, counts: maps.Clone(b.counts)}
	for outcome, n := range map[outcome]int64{queueFull: b.overflow.Load(), tooLate: b.late.Load()} {
		if n > 0 {
			a.counts[outcome] = n
		}
	}
	return a
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
