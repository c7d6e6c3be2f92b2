package export

import (
	"context"
	"errors"
	"io"

	"spangate/handler"
)

// sink is one place that a signal goes to. B is what is exported at once.
type sink[B any] struct {
	export   func(context.Context, B) error
	shutdown func(context.Context) error
}

// through returns the sink with its exports repeated while the collector is
// unavailable.
func (s sink[B]) through(d delivery) sink[B] {
	export := s.export
	s.export = func(ctx context.Context, batch B) error {
		return d.do(ctx, func(ctx context.Context) error { return export(ctx, batch) })
	}
	return s
}

// all exports a batch to each sink in turn. What the last one says counts: the
// collector, where there is one.
func all[B any](sinks []sink[B]) func(context.Context, B) error {
	return func(ctx context.Context, batch B) (err error) {
		for _, s := range sinks {
			err = s.export(ctx, batch)
		}
		return err
	}
}

func shutdownAll[B any](ctx context.Context, sinks []sink[B]) error {
	var errs []error
	for _, s := range sinks {
		errs = append(errs, s.shutdown(ctx))
	}
	return errors.Join(errs...)
}

// visible writes what it gets so that nothing is hidden in it.
type visible struct{ io.Writer }

func (w visible) Write(p []byte) (int, error) {
	_, err := w.Writer.Write(handler.Visible(p))
	return len(p), err
}
