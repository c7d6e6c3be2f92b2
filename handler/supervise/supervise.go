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
	errs := make([]error, 1+len(beside))
	var running sync.WaitGroup
	for i, run := range beside {
		running.Go(func() {
			if err := run(background); !errors.Is(err, context.Canceled) { // by leave
				errs[1+i] = err
			}
		})
	}
	errs[0] = serve(ctx)
	leave()
	running.Wait()
	return errors.Join(errs...)
}
