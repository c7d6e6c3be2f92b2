package clock

import (
	"context"
	"sync/atomic"
	"time"
)

// Context is a context that ends with its parent, at a time, or when it is
// cancelled, whichever comes first, as those of package context do. It costs no
// channel, timer or goroutine, and nothing of its parent's, until somebody waits for
// its end: Done makes all of that. Until then Err looks at the clock and asks the
// parent. So it is for what is hardly ever waited for, as the end of a request that is
// answered at once. Where both of its ends came while nobody looked, it is the
// parent's.
//
// Its fields are set before it is used, and it must not be copied then. It is safe
// for concurrent use. What is derived from it, and [context.Cause] and
// [context.AfterFunc], are as with a context of package context.
type Context struct {
	Parent context.Context
	End    time.Time // zero: it has no end of its own

	made atomic.Pointer[made] // nil: nobody waits, and it has not ended as far as is known
}

// made is a context of package context that another one has become.
type made struct {
	context.Context
	cancel context.CancelCauseFunc
}

// cancelled is what one becomes that is cancelled without a cause, and that nobody
// waits for.
var cancelled = func() *made {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(nil)
	return &made{ctx, cancel}
}()

// Deadline implements [context.Context].
func (c *Context) Deadline() (time.Time, bool) {
	if end, ok := c.Parent.Deadline(); ok && (c.End.IsZero() || end.Before(c.End)) {
		return end, true
	}
	return c.End, !c.End.IsZero()
}

// Done implements [context.Context].
func (c *Context) Done() <-chan struct{} { return c.make().Done() }

// Err implements [context.Context].
func (c *Context) Err() error {
	if m := c.made.Load(); m != nil {
		return m.Err()
	}
	if c.Parent.Err() == nil && (c.End.IsZero() || time.Now().Before(c.End)) {
		return nil
	}
	return c.make().Err() // and that is what it stays
}

type contextKey struct{}

// End returns when ctx ends by itself, if it does: where there is a [Context] in it that
// has an end, by what that and those above it say, and else at its deadline. One may well
// promise to end at a deadline, and be late.
func End(ctx context.Context) (time.Time, bool) {
	deadline, ends := ctx.Deadline()
	if !ends {
		return deadline, false
	}
	if c, ok := ctx.Value(contextKey{}).(*Context); ok {
		if end, ends := c.end(); ends {
			return end, true
		}
	}
	return deadline, true
}

func (c *Context) end() (time.Time, bool) {
	if end, ok := End(c.Parent); ok && (c.End.IsZero() || end.Before(c.End)) {
		return end, true
	}
	return c.End, !c.End.IsZero()
}

// Value implements [context.Context].
func (c *Context) Value(key any) any {
	if key == (contextKey{}) {
		return c
	}
	if m := c.made.Load(); m != nil {
		if value := m.Value(key); value != nil {
			return value
		}
	}
	return c.Parent.Value(key)
}

// Cancel ends c, if it has not ended. The cause, where it is not nil, is what
// [context.Cause] returns then.
func (c *Context) Cancel(cause error) {
	if cause == nil && c.made.Load() == nil && c.Err() == nil && c.made.CompareAndSwap(nil, cancelled) {
		return
	}
	c.make().cancel(cause)
}

// make returns what c has become, at the latest now.
func (c *Context) make() *made {
	if m := c.made.Load(); m != nil {
		return m
	}
	m := &made{}
	m.Context, m.cancel = context.WithCancelCause(c.Parent)
	if !c.End.IsZero() {
		cancel := m.cancel
		ctx, stop := context.WithDeadline(m.Context, c.End)
		m.Context, m.cancel = ctx, func(cause error) {
			cancel(cause)
			stop()
		}
	}
	if !c.made.CompareAndSwap(nil, m) { // another one has been quicker
		m.cancel(nil)
		return c.made.Load()
	}
	return m
}
