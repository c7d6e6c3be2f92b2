package export

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// readSpans returns the spans of a request as the console's exporter takes them.
func readSpans(request []byte, res *resource.Resource) ([]sdktrace.ReadOnlySpan, error) {
	var data traces.TracesData // is a request, in other words
	if err := proto.Unmarshal(request, &data); err != nil {
		return nil, err
	}
	var spans tracetest.SpanStubs
	for _, of := range data.GetResourceSpans() {
		for _, in := range of.GetScopeSpans() {
			scope := instrumentation.Scope{
				Name: in.GetScope().GetName(), Version: in.GetScope().GetVersion(), SchemaURL: in.GetSchemaUrl(),
				Attributes: attribute.NewSet(readAttributes(in.GetScope().GetAttributes())...),
			}
			for _, s := range in.GetSpans() {
				stub := readSpan(s)
				stub.Resource, stub.InstrumentationScope = res, scope
				spans = append(spans, stub)
			}
		}
	}
	return spans.Snapshots(), nil
}

func readSpan(s *traces.Span) tracetest.SpanStub {
	stub := tracetest.SpanStub{
		Name:              s.GetName(),
		SpanContext:       readContext(s.GetTraceId(), s.GetSpanId(), s.GetTraceState(), s.GetFlags()&^isRemote),
		SpanKind:          trace.SpanKind(s.GetKind()), // the numbers are OTLP's
		StartTime:         instant(s.GetStartTimeUnixNano()),
		EndTime:           instant(s.GetEndTimeUnixNano()),
		Attributes:        readAttributes(s.GetAttributes()),
		Status:            sdktrace.Status{Code: readCode(s.GetStatus().GetCode()), Description: s.GetStatus().GetMessage()},
		DroppedAttributes: int(s.GetDroppedAttributesCount()),
		DroppedEvents:     int(s.GetDroppedEventsCount()),
		DroppedLinks:      int(s.GetDroppedLinksCount()),
	}
	if len(s.GetParentSpanId()) > 0 {
		stub.Parent = readContext(s.GetTraceId(), s.GetParentSpanId(), s.GetTraceState(), s.GetFlags())
	}
	for _, e := range s.GetEvents() {
		stub.Events = append(stub.Events, sdktrace.Event{
			Name: e.GetName(), Time: instant(e.GetTimeUnixNano()),
			Attributes: readAttributes(e.GetAttributes()), DroppedAttributeCount: int(e.GetDroppedAttributesCount()),
		})
	}
	for _, l := range s.GetLinks() {
		stub.Links = append(stub.Links, sdktrace.Link{
			SpanContext: readContext(l.GetTraceId(), l.GetSpanId(), l.GetTraceState(), l.GetFlags()),
			Attributes:  readAttributes(l.GetAttributes()), DroppedAttributeCount: int(l.GetDroppedAttributesCount()),
		})
	}
	return stub
}

const isRemote = uint32(traces.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)

func readContext(traceID, spanID []byte, state string, flags uint32) trace.SpanContext {
	parsed, _ := trace.ParseTraceState(state)
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(traceID), SpanID: trace.SpanID(spanID), TraceState: parsed,
		TraceFlags: trace.TraceFlags(flags), Remote: flags&isRemote != 0,
	})
}

func instant(nanoseconds uint64) time.Time { return time.Unix(0, int64(nanoseconds)) }

func readCode(code traces.Status_StatusCode) codes.Code {
	switch code {
	case traces.Status_STATUS_CODE_OK:
		return codes.Ok
	case traces.Status_STATUS_CODE_ERROR:
		return codes.Error
	}
	return codes.Unset
}

func readAttributes(all []*common.KeyValue) (attributes []attribute.KeyValue) {
	for _, kv := range all {
		attributes = append(attributes, attribute.KeyValue{Key: attribute.Key(kv.GetKey()), Value: readValue(kv.GetValue())})
	}
	return attributes
}

func readValue(v *common.AnyValue) attribute.Value {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return attribute.StringValue(v.StringValue)
	case *common.AnyValue_BoolValue:
		return attribute.BoolValue(v.BoolValue)
	case *common.AnyValue_IntValue:
		return attribute.Int64Value(v.IntValue)
	case *common.AnyValue_DoubleValue:
		return attribute.Float64Value(v.DoubleValue)
	case *common.AnyValue_BytesValue:
		return attribute.ByteSliceValue(v.BytesValue)
	case *common.AnyValue_ArrayValue:
		var elements []attribute.Value
		for _, e := range v.ArrayValue.GetValues() {
			elements = append(elements, readValue(e))
		}
		return attribute.SliceValue(elements...)
	case *common.AnyValue_KvlistValue:
		return attribute.MapValue(readAttributes(v.KvlistValue.GetValues())...)
	}
	return attribute.Value{}
}
