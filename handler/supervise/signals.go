package supervise

import (
	"context"
	"fmt"
	"os"
	"syscall"
)

// Interruptible returns a context that the first signal cancels; the second
// one exits at once, with a shell's code for it. Leaving that to the signal's
// default would not do: process 1 of a container has none.
func Interruptible(ctx context.Context, signals <-chan os.Signal, exit func(code int)) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		cancel(fmt.Errorf("received signal: %v", <-signals))
		exit(128 + int((<-signals).(syscall.Signal)))
	}()
	return ctx
}
