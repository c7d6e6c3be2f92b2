// Package clock answers: is it time to go on?
package clock

import (
	"context"
	"time"
)

// Sleep waits for d, or until ctx is done, and returns ctx's error then. Without
// a time to wait it returns at once.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Await waits until done is closed, and reports whether it was before d had
// passed and before ctx was done.
func Await(ctx context.Context, done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
