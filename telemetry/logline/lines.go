package logline

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"spangate/handler"
	"spangate/handler/clock"
)

// maxBacklog bounds, in bytes, the lines that wait for a slow reader of the log.
const maxBacklog = 4 << 20

// Lines writes whole lines to a log of which nobody waits for the reader: they
// are put on a lock-free list and written by [Lines.Run]. When the reader is so
// slow that the backlog passes its bound, lines are dropped and counted. It is
// safe for concurrent use.
type Lines struct {
	w       io.Writer
	newest  atomic.Pointer[line]
	backlog atomic.Int64 // bytes
	dropped atomic.Int64
	wake    chan struct{} // of capacity 1
	closing chan struct{}
	ended   chan struct{}
	batch   []byte // Run's
}

// line is one line, its end included.
type line struct {
	text    []byte
	older   *line
	release func() // once it is written; may be nil
}

// NewLines returns lines to w.
func NewLines(w io.Writer) *Lines {
	return &Lines{w: w, wake: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{})}
}

var errBacklog = errors.New("the log is read too slowly")

// Write adds p, which is one line or more, in which clients may have written what a
// terminal would obey. It never waits, and fails when p is dropped.
func (l *Lines) Write(p []byte) (int, error) {
	if _, err := l.Shown().Write(handler.Visible(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Shown returns a writer that adds what it gets as it is, and is else like l: for lines
// in which all is visible, and a terminal is told colours alone.
func (l *Lines) Shown() io.Writer { return shown{l} }

type shown struct{ *Lines }

func (l shown) Write(p []byte) (int, error) {
	if !l.push(&line{text: slices.Clone(p)}) {
		return 0, errBacklog
	}
	return len(p), nil
}

// Dropped returns how many lines were dropped.
func (l *Lines) Dropped() int64 { return l.dropped.Load() }

// Run writes until Close is called, and then what is left.
func (l *Lines) Run() {
	defer close(l.ended)
	for {
		select {
		case <-l.wake:
			l.writeOut()
		case <-l.closing:
			l.writeOut()
			return
		}
	}
}

// Close ends Run and waits for that, but not for longer than within: the
// reader of the log may have stopped. It must be called once.
func (l *Lines) Close(within time.Duration) {
	close(l.closing)
	clock.Await(context.Background(), l.ended, within)
}

// writeOut writes all lines so far, oldest first, in as few writes as it can.
func (l *Lines) writeOut() {
	var oldest *line
	for n := l.newest.Swap(nil); n != nil; {
		n.older, oldest, n = oldest, n, n.older
	}
	for n := oldest; n != nil; {
		next := n.older
		l.batch = append(l.batch, n.text...)
		l.free(n)
		if n = next; n == nil || len(l.batch) > 64<<10 {
			l.w.Write(l.batch) // a log that cannot be written has nobody to be told
			l.batch = l.batch[:0]
		}
	}
	if cap(l.batch) > 256<<10 {
		l.batch = nil
	}
}

// push adds n, in which all is visible.
func (l *Lines) push(n *line) (kept bool) {
	if l.backlog.Add(int64(len(n.text))) > maxBacklog {
		l.dropped.Add(1)
		l.free(n)
		return false
	}
	older := l.newest.Load()
	for n.older = older; !l.newest.CompareAndSwap(older, n); n.older = older {
		older = l.newest.Load()
	}
	// Once on the list the line is the writer's.
	if older == nil {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return true
}

func (l *Lines) free(n *line) {
	l.backlog.Add(-int64(len(n.text)))
	n.text, n.older = n.text[:0], nil
	if n.release != nil {
		n.release()
	}
}
