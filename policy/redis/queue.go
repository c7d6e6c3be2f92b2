package redis

import (
	"errors"
	"sync"

	"spangate/policy"
)

// question is a decision that a request waits for.
type question struct {
	id       [16]byte
	answered chan struct{} // has room for one, so that nobody waits to answer
	decision policy.Decision
	err      error
}

// queue holds the questions that come while others are on the wire, for them to
// go together. The zero value is closed.
type queue struct {
	mu      sync.Mutex
	waiting []*question
	spare   []*question // the array of a batch that is done
	why     error       // why it is closed
	open    bool

	came chan struct{} // holds a signal while there are questions
}

// most is how many questions may wait. The store takes that many in a few
// milliseconds; what it cannot is better decided without it.
const most = 1024

var (
	errFull   = errors.New("more decisions wait for the store than it can take")
	errNotYet = errors.New("the store was not asked yet")
)

// put makes q wait for an answer, or returns why there will be none.
func (w *queue) put(q *question) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.open && w.why == nil:
		return errNotYet
	case !w.open:
		return w.why
	case len(w.waiting) == most:
		return errFull
	}
	w.waiting = append(w.waiting, q)
	if len(w.waiting) == 1 {
		select {
		case w.came <- struct{}{}:
		default:
		}
	}
	return nil
}

// take returns all that wait. The slice is the caller's until the next take.
func (w *queue) take() []*question {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch := w.waiting
	w.waiting, w.spare = w.spare[:0], batch
	return batch
}

// allow lets questions come.
func (w *queue) allow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = true
}

// refuse lets none come from now on, and returns those that wait.
func (w *queue) refuse(why error) []*question {
	w.mu.Lock()
	w.open, w.why = false, why
	waiting := w.waiting
	w.waiting = nil
	w.mu.Unlock()
	return waiting
}

func (q *question) answer(d policy.Decision, err error) {
	q.decision, q.err = d, err
	q.answered <- struct{}{}
}
