// Package console answers: what do traces, metrics and log records look like to who
// reads the standard output? To people traces are trees, one line for each span; to
// machines all three are OTLP's JSON, one line for each export.
package console

import (
	"errors"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	// maxWaiting bounds the spans that wait for the root of their tree to end, and
	// patience for how long they do: then they are written without it.
	maxWaiting = 2048
	patience   = time.Minute
)

// Trees writes spans as trees, one line for each span: all that belongs to a request
// at once, when the request's own span has ended. What has no such span, or comes
// later, is written by itself, and nothing is left out but what a probe did that
// succeeded. It is safe for concurrent use.
type Trees struct {
	w     io.Writer
	style style

	mu       sync.Mutex
	byID     map[spanID]*span   // all that wait
	byParent map[spanID][]*span // the same, oldest first
	queue    []arrival          // the same, oldest first, and some that wait no more
	shown    recent
	patience time.Duration
	timer    *time.Timer // runs while spans wait
}

// arrival is when a span came.
type arrival struct {
	*span
	at time.Time
}

// NewTrees returns one that writes to w: a tree at once, in which nothing is hidden from
// who reads it, and nothing but colours, where they are wanted, obeyed by a terminal.
func NewTrees(w io.Writer, coloured bool) *Trees {
	t := &Trees{w: w, style: style{coloured}, byID: map[spanID]*span{}, byParent: map[spanID][]*span{}, patience: patience}
	t.timer = time.AfterFunc(patience, t.tick)
	t.timer.Stop()
	return t
}

// Export takes spans that have ended, each as OTLP's message, in any order. It keeps
// none of the bytes.
func (t *Trees) Export(spans [][]byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var roots, others []*span
	for _, message := range spans {
		s := readSpan(message)
		if s.isRoot {
			roots = append(roots, s)
			continue
		}
		others = append(others, s)
		t.wait(s)
	}
	var errs []error
	for _, root := range roots {
		errs = append(errs, t.write(root.isQuiet(), t.tree(root, "")))
	}
	for _, s := range others {
		if t.waits(s) && t.shown.has(s.parent) {
			errs = append(errs, t.orphans(s.parent, "late"))
		}
	}
	return errors.Join(append(errs, t.giveUp())...)
}

// isQuiet reports whether s is enough to be seen of its tree: probes succeed all the
// time.
func (s *span) isQuiet() bool { return s.name == "probe" && !s.failed }

// Shutdown writes what waits, and has what comes later written at once.
func (t *Trees) Shutdown() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer.Stop()
	t.patience = 0
	return t.giveUp()
}

// tick writes what has waited for too long.
func (t *Trees) tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.giveUp() // there is nobody to be told
	if len(t.byID) > 0 {
		t.timer.Reset(t.patience - time.Since(t.queue[0].at))
	}
}

// wait has s wait for its parent.
func (t *Trees) wait(s *span) {
	if len(t.byID) == 0 && t.patience > 0 {
		t.timer.Reset(t.patience)
	}
	t.byID[s.id] = s
	t.byParent[s.parent] = append(t.byParent[s.parent], s)
	t.queue = append(t.queue, arrival{s, time.Now()})
}

func (t *Trees) waits(s *span) bool { return t.byID[s.id] == s }

// giveUp writes the oldest of what waits, without its root, as long as it has waited
// for too long or too many do.
func (t *Trees) giveUp() error {
	var errs []error
	for len(t.queue) > 0 {
		oldest := t.queue[0]
		if t.waits(oldest.span) {
			if len(t.byID) <= maxWaiting && time.Since(oldest.at) < t.patience {
				break
			}
			top := oldest.span
			for t.byID[top.parent] != nil {
				top = t.byID[top.parent]
			}
			errs = append(errs, t.orphans(top.parent, "its parent has not ended"))
		}
		t.queue = t.queue[1:]
	}
	if len(t.queue) > maxWaiting+2*len(t.byID) {
		t.queue = slices.DeleteFunc(t.queue, func(a arrival) bool { return !t.waits(a.span) })
	}
	if len(t.byID) == 0 {
		t.timer.Stop()
	}
	return errors.Join(errs...)
}

// tree takes all that waits below s away.
func (t *Trees) tree(s *span, note string) tree {
	n := tree{span: s, note: note}
	delete(t.byID, s.id)
	below := t.byParent[s.id]
	delete(t.byParent, s.id)
	for _, child := range below {
		n.children = append(n.children, t.tree(child, ""))
	}
	return n
}

// orphans writes what waits for a parent.
func (t *Trees) orphans(parent spanID, note string) error {
	var trees []tree
	below := t.byParent[parent]
	delete(t.byParent, parent)
	for _, s := range below {
		trees = append(trees, t.tree(s, note))
	}
	return t.write(false, trees...)
}

// write writes trees of one trace: all of them, or the roots alone.
func (t *Trees) write(roots bool, trees ...tree) error {
	for i := range trees {
		t.remember(trees[i])
		if roots {
			trees[i].children = nil
		}
	}
	_, err := io.WriteString(t.w, render(trees, t.style))
	return err
}

func (t *Trees) remember(n tree) {
	t.shown.add(n.id)
	for _, child := range n.children {
		t.remember(child)
	}
}
