package setup

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	firstWait = 500 * time.Millisecond
	maxWait   = 5 * time.Second
	// lastWait goes before the one repetition that there is time for when the
	// program leaves: enough for a connection that the collector had closed.
	lastWait = 100 * time.Millisecond
)

// delivery repeats exports that found the collector unavailable. The exporters'
// own repetition is off: it does not see refused connections, and its waits of
// up to 30 seconds do not end early when the program leaves.
type delivery struct {
	target  target
	leaving <-chan struct{} // closed when Shutdown begins
	outage  *outage
}

// do runs attempt until it succeeds, fails for good, or ctx is done. Each
// attempt has the target's timeout.
func (d delivery) do(ctx context.Context, attempt func(context.Context) error) error {
	wait := firstWait
	for {
		err := d.try(ctx, attempt)
		if err == nil {
			d.outage.delivered(d.target)
			return nil
		}
		d.outage.failed(d.target, err)
		after, again := retryable(err)
		if !again {
			return err
		}
		pause := max(after, wait/2+rand.N(wait/2))
		wait = min(2*wait, maxWait)

		select {
		case <-d.leaving:
			if !sleep(ctx, lastWait, nil) {
				return gaveUp(ctx, err)
			}
			return d.try(ctx, attempt)
		default:
		}
		if !sleep(ctx, pause, d.leaving) {
			return gaveUp(ctx, err)
		}
	}
}

// sleep waits for d or until wake is closed, and reports false when ctx ended
// first.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	return true
}

func gaveUp(ctx context.Context, last error) error {
	return fmt.Errorf("%w, after %w", context.Cause(ctx), last)
}

func (d delivery) try(ctx context.Context, attempt func(context.Context) error) error {
	tryCtx, cancel := context.WithTimeout(ctx, d.target.timeout)
	defer cancel()
	err := attempt(tryCtx)
	if err != nil && tryCtx.Err() != nil && ctx.Err() == nil {
		return &unavailable{err: err}
	}
	return err
}

// retryable reports whether OTLP lets a failed export be repeated, and the
// least wait that the collector asked for.
func retryable(err error) (after time.Duration, again bool) {
	if u, ok := errors.AsType[*unavailable](err); ok {
		return u.after, true
	}
	s, ok := status.FromError(err)
	if !ok {
		return 0, false
	}
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	switch s.Code() {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted,
		codes.OutOfRange, codes.Unavailable, codes.DataLoss:
		return 0, true
	}
	return 0, false
}

// rejected returns how many items a collector refused of an export that it
// otherwise took. The exporters' error has no exported type: its text is all
// there is.
func rejected(err error) (n int, ok bool) {
	text := err.Error()
	_, text, partial := strings.Cut(text, "OTLP partial success: ")
	open := strings.LastIndexByte(text, '(')
	if !partial || open < 0 {
		return 0, false
	}
	var kind string
	_, err = fmt.Sscanf(text[open:], "(%d %s", &n, &kind)
	return n, err == nil
}
