package telemetry

import (
	"context"

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

func (id *requestID) span(to attributes) {
	if *id != "" {
		to.String(requestIDKey, string(*id))
	}
}

func (id *requestID) line(line *logline.Line) {
	if *id != "" {
		line.String("request_id", string(*id))
	}
}
