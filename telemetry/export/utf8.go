package export

import (
	"context"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
)

// OTLP carries texts as UTF-8, and a batch with one that is something else
// cannot be sent at all: whoever sends a byte in a header would lose everybody's
// spans. Such bytes become U+FFFD, here, where no request waits for it.

// repairing returns export for batches that have been repaired.
func repairing[T any](repair func([]T), export func(context.Context, []T) error) func(context.Context, []T) error {
	return func(ctx context.Context, batch []T) error {
		repair(batch)
		return export(ctx, batch)
	}
}

func repairRecords(batch []sdklog.Record) {
	for i := range batch {
		r := &batch[i]
		if body := r.Body(); body.Type() == attribute.STRING && !utf8.ValidString(body.AsString()) {
			r.SetBody(attribute.StringValue(validText(body.AsString())))
		}
		attributes := make([]attribute.KeyValue, 0, r.AttributesLen())
		r.WalkAttributes(func(kv attribute.KeyValue) bool {
			attributes = append(attributes, kv)
			return true
		})
		if !validTexts(attributes) {
			r.SetAttributes(repairedTexts(attributes)...)
		}
	}
}

func validTexts(attributes []attribute.KeyValue) bool {
	for _, kv := range attributes {
		if kv.Value.Type() == attribute.STRING && !utf8.ValidString(kv.Value.AsString()) {
			return false
		}
	}
	return true
}

func repairedTexts(attributes []attribute.KeyValue) []attribute.KeyValue {
	valid := make([]attribute.KeyValue, len(attributes))
	for i, kv := range attributes {
		if valid[i] = kv; kv.Value.Type() == attribute.STRING {
			valid[i] = kv.Key.String(validText(kv.Value.AsString()))
		}
	}
	return valid
}

func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
