package otlp

import (
	"encoding/binary"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"google.golang.org/protobuf/encoding/protowire"
)

// Records returns log records as items.
func Records(records []sdklog.Record) []Item {
	items := make([]Item, len(records))
	scopes := map[instrumentation.Scope]*Scope{}
	for i := range records {
		of := records[i].InstrumentationScope()
		scope, ok := scopes[of]
		if !ok {
			scope = NewScope(of, boundless)
			scopes[of] = scope
		}
		items[i] = Item{scope, appendRecord(nil, &records[i])}
	}
	return items
}

// appendRecord appends what a LogRecord holds.
func appendRecord(b []byte, r *sdklog.Record) []byte {
	b = AppendTime(b, 1, r.Timestamp())
	b = AppendNumber(b, 2, severity(r))
	b = AppendText(b, 3, r.SeverityText())
	body := r.Body()
	b = appendValue(b, 5, &body, boundless)
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		b = AppendAttribute(b, 6, &kv, boundless)
		return true
	})
	b = AppendNumber(b, 7, r.DroppedAttributes())
	if flags := r.TraceFlags(); flags != 0 {
		b = append(b, Tag(8, protowire.Fixed32Type))
		b = binary.LittleEndian.AppendUint32(b, uint32(flags))
	}
	if id := r.TraceID(); id.IsValid() {
		b = appendBytes(b, 9, id[:])
	}
	if id := r.SpanID(); id.IsValid() {
		b = appendBytes(b, 10, id[:])
	}
	b = AppendTime(b, 11, r.ObservedTimestamp())
	return AppendText(b, 12, r.EventName())
}

// severity returns that of a record, whose numbers are OTLP's, or 0 where OTLP has none.
func severity(r *sdklog.Record) int {
	if s := r.Severity(); s <= log.SeverityFatal4 {
		return int(s)
	}
	return 0
}
