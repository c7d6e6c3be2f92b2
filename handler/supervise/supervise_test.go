package supervise_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/supervise"
)

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ended []string
		ends := func(name string) {
			mu.Lock()
			defer mu.Unlock()
			ended = append(ended, name)
		}
		serving := func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second) // requests in flight
			ends("served")
			return nil
		}
		beside := func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			ends("beside")
			return context.Cause(ctx)
		}
		wrong := errors.New("cannot go on")
		failing := func(context.Context) error {
			ends("failed")
			return wrong
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := supervise.Run(ctx, serving, beside, failing)
		if got, want := err, wrong; !errors.Is(got, want) || errors.Is(got, context.Canceled) {
			t.Errorf("error is %v, want %v alone", got, want)
		}
		if want := []string{"failed", "served", "beside"}; !slices.Equal(ended, want) {
			t.Errorf("what ended was %v, want %v", ended, want)
		}
	})
}

func TestRunOfWhatCannotServe(t *testing.T) {
	wrong := errors.New("in use")
	told := false
	err := supervise.Run(t.Context(), func(context.Context) error { return wrong }, func(ctx context.Context) error {
		<-ctx.Done()
		told = true
		return nil
	})
	if !errors.Is(err, wrong) || !told {
		t.Errorf("error is %v, the other was told to end: %v", err, told)
	}
}
