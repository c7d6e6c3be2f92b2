package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/clock"
)

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := clock.Pace{Every: time.Minute}
		for i, step := range []struct {
			after  time.Duration
			since  int
			passes bool
		}{
			{0, 1, true}, {0, 0, false}, {59 * time.Second, 0, false}, {time.Second, 3, true}, {time.Hour, 1, true}, {time.Second, 0, false},
		} {
			time.Sleep(step.after)
			if since, passes := p.Pass(); since != step.since || passes != step.passes {
				t.Errorf("step %d: %d, %v, want %d, %v", i, since, passes, step.since, step.passes)
			}
		}
	})
}
