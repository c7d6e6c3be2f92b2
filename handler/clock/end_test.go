package clock_test

import (
	"context"
	"testing"
	"time"

	"spangate/handler/clock"
)

// late is a context that promises to end before it does.
type late struct {
	clock.Context
	deadline time.Time
}

func (c *late) Deadline() (time.Time, bool) { return c.deadline, true }

func TestEnd(t *testing.T) {
	t.Parallel()
	type key struct{}
	at := func(d time.Duration) time.Time { return time.Unix(1<<32, 0).Add(d) }
	standard, cancel := context.WithDeadline(t.Context(), at(2))
	defer cancel()
	for name, test := range map[string]struct {
		ctx  context.Context
		want time.Time // zero: none
	}{
		"none":                      {t.Context(), time.Time{}},
		"none of its own":           {&clock.Context{Parent: t.Context()}, time.Time{}},
		"of package context":        {standard, at(2)},
		"its own":                   {&clock.Context{Parent: t.Context(), End: at(1)}, at(1)},
		"its own, the sooner":       {&clock.Context{Parent: standard, End: at(1)}, at(1)},
		"its parent's, the sooner":  {&clock.Context{Parent: standard, End: at(3)}, at(2)},
		"its parent's":              {&clock.Context{Parent: standard}, at(2)},
		"late":                      {&late{clock.Context{Parent: t.Context(), End: at(5)}, at(1)}, at(5)},
		"late, above something":     {context.WithValue(&late{clock.Context{Parent: t.Context(), End: at(5)}, at(1)}, key{}, 1), at(5)},
		"late, below its own":       {&clock.Context{Parent: &late{clock.Context{Parent: t.Context(), End: at(5)}, at(1)}, End: at(3)}, at(3)},
		"late, above a sooner one":  {&late{clock.Context{Parent: standard, End: at(5)}, at(1)}, at(2)},
		"late, below none":          {&clock.Context{Parent: &late{clock.Context{Parent: t.Context(), End: at(5)}, at(1)}}, at(5)},
		"of one that is waited for": {waited(&clock.Context{Parent: t.Context(), End: at(1)}), at(1)},
	} {
		if got, ends := clock.End(test.ctx); !got.Equal(test.want) || ends != !test.want.IsZero() {
			t.Errorf("%s: %v, %v; want %v", name, got, ends, test.want)
		}
	}
}

func waited(ctx context.Context) context.Context {
	ctx.Done()
	return ctx
}
