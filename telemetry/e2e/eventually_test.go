//go:build prometheus || jaeger

package e2e

import (
	"context"
	"time"
)

// eventually repeats a check until it returns nil, and returns what it said last
// when ctx was done.
func eventually(ctx context.Context, check func() error) error {
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		}
	}
}
