package clock_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/clock"
)

func TestSleep(t *testing.T) {
	for name, test := range map[string]struct {
		d, ends time.Duration // of the context, never for 0
		want    error
		took    time.Duration
	}{
		"its time":                       {d: time.Second, ends: time.Minute, took: time.Second},
		"the context ends first":         {d: time.Minute, ends: time.Second, want: context.DeadlineExceeded, took: time.Second},
		"nothing to wait for":            {},
		"a time that has passed":         {d: -time.Second},
		"nothing to wait for, and ended": {ends: -1, want: context.DeadlineExceeded},
		"ended before":                   {d: time.Minute, ends: -1, want: context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.ends != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.ends)
					defer cancel()
				}
				start := time.Now()
				if err := clock.Sleep(ctx, test.d); err != test.want {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if took := time.Since(start); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
			})
		})
	}
}

func TestAwait(t *testing.T) {
	for name, test := range map[string]struct {
		done, ends time.Duration
		want       bool
		took       time.Duration
	}{
		"done":                   {done: time.Second, ends: time.Hour, want: true, took: time.Second},
		"too late":               {done: time.Hour, ends: time.Hour, took: time.Minute},
		"the context ends first": {done: time.Hour, ends: time.Second, took: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.ends)
				defer cancel()
				done := make(chan struct{})
				time.AfterFunc(test.done, func() { close(done) })
				start := time.Now()
				if got := clock.Await(ctx, done, time.Minute); got != test.want {
					t.Errorf("got %v, want %v", got, test.want)
				}
				if took := time.Since(start); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				time.Sleep(time.Hour) // for done
			})
		})
	}
}
