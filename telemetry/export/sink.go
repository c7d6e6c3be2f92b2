package export

import (
	"context"
	"io"

	"spangate/telemetry/export/otlp"
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

// printing returns a sink that writes lines to stdout.
func printing[B any](stdout io.Writer, lines func(B) []byte) sink[B] {
	return func(_ context.Context, batch B) error {
		_, err := stdout.Write(lines(batch))
		return err
	}
}

// messages returns those of the items alone.
func messages(items []otlp.Item) [][]byte {
	all := make([][]byte, len(items))
	for i, item := range items {
		all[i] = item.Bytes
	}
	return all
}
