package export

import (
	"context"
	"io"

	"spangate/handler"
)

// sink exports to one place that a signal goes to. B is what is exported at once.
type sink[B any] func(context.Context, B) error

// all exports a batch to each sink in turn. What the last one says counts: the
// collector, where there is one.
func all[B any](sinks []sink[B]) func(context.Context, B) error {
	return func(ctx context.Context, batch B) (err error) {
		for _, export := range sinks {
			err = export(ctx, batch)
		}
		return err
	}
}

// visible writes what it gets so that nothing is hidden in it.
type visible struct{ io.Writer }

func (w visible) Write(p []byte) (int, error) {
	_, err := w.Writer.Write(handler.Visible(p))
	return len(p), err
}
