// Package supervise answers: what runs beside what, who ends first, and who waits
// for whom?
package supervise

import (
	"context"
	"errors"
	"sync"
)

// Run runs serve until it returns, which it does some time after ctx is done, and
// the others beside it. Once serve has ended these are told to end, and waited for:
// what a request in flight needs goes on for as long as there may be one. Each gets
// a context with the values of ctx. The error joins theirs.
//
// That one of the others ends early ends nobody else: the proxy goes on with what
// it has.
func Run(ctx context.Context, serve func(context.Context) error, beside ...func(context.Context) error) error {
	background, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	others := make(chan error, 1)
	go func() { others <- All(background, beside...) }()
	err := serve(ctx)
	leave()
	return errors.Join(err, <-others)
}

// All runs each of runs until ctx is done, and returns when all have ended. The
// error joins theirs, but for those that say no more than that ctx was cancelled.
func All(ctx context.Context, runs ...func(context.Context) error) error {
	errs := make([]error, len(runs))
	var running sync.WaitGroup
	for i, run := range runs {
		running.Go(func() {
			if err := run(ctx); err != ctx.Err() && err != context.Cause(ctx) {
				errs[i] = err
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}
