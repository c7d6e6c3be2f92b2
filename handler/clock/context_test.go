package clock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/clock"
)

type key struct{}

var (
	errCause  = errors.New("a cause")
	errParent = errors.New("a cause of the parent's")
)

// party is a context, how it is cancelled, and how its parent is.
type party struct {
	context.Context
	cancel, cancelParent context.CancelCauseFunc
}

// standard returns what package context makes of a parent with that much time and a
// context of its own with that much; 0 sets no end.
func standard(t *testing.T, parents, own time.Duration) party {
	parent, cancelParent := parentOf(t, parents)
	ctx, cancel := context.WithCancelCause(parent)
	if own != 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, own)
		t.Cleanup(stop)
	}
	return party{ctx, cancel, cancelParent}
}

// onDemand is standard by [clock.Context].
func onDemand(t *testing.T, parents, own time.Duration) party {
	parent, cancelParent := parentOf(t, parents)
	ctx := &clock.Context{Parent: parent}
	if own != 0 {
		ctx.End = time.Now().Add(own)
	}
	return party{ctx, ctx.Cancel, cancelParent}
}

// twice is onDemand with a parent of the same kind.
func twice(t *testing.T, parents, own time.Duration) party {
	outer := onDemand(t, 0, parents)
	ctx := &clock.Context{Parent: outer}
	if own != 0 {
		ctx.End = time.Now().Add(own)
	}
	return party{ctx, ctx.Cancel, outer.cancel}
}

func parentOf(t *testing.T, d time.Duration) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "a value"))
	if d != 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, d)
		t.Cleanup(stop)
	}
	return ctx, cancel
}

// seen is what can be seen of a context.
type seen struct {
	Err, Cause string
	Ended      bool // by Done
	Left       time.Duration
	Value      any
	Told       bool // by AfterFunc
	Child      string
}

func see(ctx context.Context) seen {
	s := seen{Err: fmt.Sprint(ctx.Err()), Cause: fmt.Sprint(context.Cause(ctx)), Value: ctx.Value(key{})}
	if deadline, ok := ctx.Deadline(); ok {
		s.Left = time.Until(deadline)
	}
	stop := context.AfterFunc(ctx, func() { s.Told = true })
	child, cancel := context.WithCancel(ctx)
	defer cancel()
	synctest.Wait()
	select {
	case <-ctx.Done():
		s.Ended = true
	default:
	}
	stop()
	s.Child = fmt.Sprint(child.Err(), context.Cause(child))
	return s
}

// What is seen of a context is what is seen of one of package context to which the
// same happens, whoever has waited for its end before.
func TestContext(t *testing.T) {
	steps := map[string]func(party){
		"cancelled":                     func(p party) { p.cancel(nil) },
		"cancelled with a cause":        func(p party) { p.cancel(errCause) },
		"the parent cancelled":          func(p party) { p.cancelParent(errParent) },
		"the parent without a cause":    func(p party) { p.cancelParent(nil) },
		"a minute":                      func(party) { time.Sleep(time.Minute) },
		"an hour":                       func(party) { time.Sleep(time.Hour) },
		"somebody waits":                func(p party) { p.Done() },
		"somebody asks":                 func(p party) { p.Err() },
		"somebody derives, and goes on": func(p party) { _, cancel := context.WithCancel(p); cancel() },
	}
	for _, ends := range [][2]time.Duration{{0, 0}, {0, time.Minute}, {time.Minute, 0}, {time.Minute, time.Hour}, {time.Hour, time.Minute}, {0, -1}} {
		for first, one := range steps {
			for second, other := range steps {
				t.Run(fmt.Sprintf("%v/%s/%s", ends, first, second), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						after := func(make func(*testing.T, time.Duration, time.Duration) party) [3]seen {
							p := make(t, ends[0], ends[1])
							defer p.cancelParent(nil)
							synctest.Wait()
							p.Err() // of two ends the first one counts that somebody sees
							one(p)
							synctest.Wait()
							p.Err()
							other(p)
							synctest.Wait()
							all := [3]seen{see(p)}
							p.cancel(errCause)
							all[1] = see(p)
							p.cancelParent(errParent)
							all[2] = see(p)
							return all
						}
						want := after(standard)
						if diff := cmp.Diff(want, after(onDemand)); diff != "" {
							t.Errorf("on demand (-standard +ours):\n%s", diff)
						}
						if diff := cmp.Diff(want, after(twice)); diff != "" {
							t.Errorf("below another one (-standard +ours):\n%s", diff)
						}
					})
				})
			}
		}
	}
}

// Nothing but what waits for it costs anything.
func TestContextAllocates(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	defer cancel()
	end := time.Now().Add(time.Hour)
	if got := testing.AllocsPerRun(100, func() {
		ctx := &clock.Context{Parent: parent, End: end}
		if _, ok := ctx.Deadline(); !ok || ctx.Err() != nil || ctx.Value(key{}) != nil {
			t.Error("it has ended, or has no end")
		}
		ctx.Cancel(nil)
		if ctx.Err() != context.Canceled || context.Cause(ctx) != context.Canceled {
			t.Error("it has not been cancelled")
		}
	}); got > 1 {
		t.Errorf("%v allocations, want 1", got)
	}
}

// Whoever asks, waits and cancels at once sees one end.
func TestContextConcurrently(t *testing.T) {
	for range 200 {
		ctx := &clock.Context{Parent: t.Context(), End: time.Now().Add(time.Hour)}
		var group sync.WaitGroup
		for i := range 6 {
			group.Go(func() {
				switch i {
				case 0:
					ctx.Cancel(nil)
				case 1:
					ctx.Cancel(errCause)
				case 2:
					ctx.Err()
					ctx.Value(key{})
				default:
					<-ctx.Done()
				}
				if i != 2 && ctx.Err() != context.Canceled {
					t.Errorf("its error is %v", ctx.Err())
				}
			})
		}
		group.Wait()
		if cause := context.Cause(ctx); cause != errCause && cause != context.Canceled {
			t.Errorf("its cause is %v", cause)
		}
	}
}
