package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
)

// noteRequestID notes the id of the request that ctx is of.
func (t *Telemetry) noteRequestID(ctx context.Context, id string) {
	if e := exchangeOf(ctx); e != nil {
		e.requestID = requestID(id)
	}
}

// requestID is the id that a request goes by. It may have none.
type requestID string

func (id *requestID) span(attrs []attribute.KeyValue) []attribute.KeyValue {
	if *id != "" {
		attrs = append(attrs, requestIDKey.String(string(*id)))
	}
	return attrs
}

func (id *requestID) line(attrs []slog.Attr) []slog.Attr {
	if *id != "" {
		attrs = append(attrs, slog.String("request_id", string(*id)))
	}
	return attrs
}
