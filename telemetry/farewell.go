package telemetry

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"

	"spangate/telemetry/logline"
)

// ToldToLeave notes that a WebSocket was told that the proxy leaves, and whether both
// of its ends have answered. It is a hook of [spangate/handler.ForwardConfig].
func (t *Telemetry) ToldToLeave(r *http.Request, answered bool) {
	if e := exchangeOf(r.Context()); e != nil {
		e.farewell = farewellUnanswered
		if answered {
			e.farewell = farewellAnswered
		}
	}
}

// farewell is how a WebSocket was parted from at a drain; empty: it was not.
type farewell string

const (
	farewellAnswered   farewell = "answered"
	farewellUnanswered farewell = "unanswered"
)

func (f *farewell) span(attrs []attribute.KeyValue) []attribute.KeyValue {
	if *f != "" {
		attrs = append(attrs, upgradeFarewellKey.String(string(*f)))
	}
	return attrs
}

func (f *farewell) line(line *logline.Line) {
	if *f != "" {
		line.String("farewell", string(*f))
	}
}
