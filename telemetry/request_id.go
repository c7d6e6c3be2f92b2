package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"spangate/telemetry/logline"
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

func (id *requestID) line(line *logline.Line) {
	if *id != "" {
		line.String("request_id", string(*id))
	}
}
