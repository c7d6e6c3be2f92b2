package tracer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// program makes what it records of bytes.
type program struct{ rest []byte }

// next returns a number below n.
func (p *program) next(n int) int {
	if len(p.rest) == 0 {
		return 0
	}
	b := p.rest[0]
	p.rest = p.rest[1:]
	return int(b) % n
}

func (p *program) text() string {
	n := min(p.next(20), len(p.rest))
	text := string(p.rest[:n])
	p.rest = p.rest[n:]
	return strings.ToValidUTF8(text, "é") // the SDK sends nothing with another
}

func (p *program) value(depth int) attribute.Value {
	switch kind := p.next(12); {
	case kind == 1:
		return attribute.BoolValue(p.next(2) == 1)
	case kind == 2:
		return attribute.IntValue(p.next(256) - 128)
	case kind == 3:
		return attribute.Float64Value(float64(p.next(256)) / 3)
	case kind == 4:
		return attribute.ByteSliceValue([]byte(p.text()))
	case kind == 5:
		return attribute.BoolSliceValue(make([]bool, p.next(4)))
	case kind == 6:
		return attribute.IntSliceValue(make([]int, p.next(6)))
	case kind == 7:
		return attribute.StringSliceValue([]string{p.text(), p.text()}[:p.next(3)])
	case kind == 8 && depth > 0:
		var all []attribute.Value
		for range p.next(4) {
			all = append(all, p.value(depth-1))
		}
		return attribute.SliceValue(all...)
	case kind == 9 && depth > 0:
		return attribute.MapValue(p.attributes(depth - 1)...)
	case kind == 10:
		return attribute.Value{}
	}
	return attribute.StringValue(p.text())
}

func (p *program) attributes(depth int) (all []attribute.KeyValue) {
	for range p.next(5) {
		key := []string{"", "a", "b", "c", "aa", "other"}[p.next(6)]
		if key == "other" {
			key = p.text()
		}
		all = append(all, attribute.KeyValue{Key: attribute.Key(key), Value: p.value(depth)})
	}
	return all
}

func (p *program) at() time.Time { return then.Add(time.Duration(p.next(256)-128) * time.Hour) }

func (p *program) link() trace.Link {
	return linkTo(byte(p.next(3)), trace.TraceFlags(p.next(256)), p.next(2) == 1, p.attributes(3)...)
}

func (p *program) start(ctx context.Context, tracer trace.Tracer) (context.Context, trace.Span) {
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKind(p.next(7))), trace.WithAttributes(p.attributes(3)...)}
	switch p.next(5) {
	case 1:
		options = append(options, trace.WithNewRoot())
	case 2:
		options = append(options, trace.WithTimestamp(p.at()))
	case 3:
		options = append(options, trace.WithLinks(p.link(), p.link()))
	case 4:
		ctx = parent(trace.TraceFlags(p.next(256)), p.next(2) == 1)
	}
	return tracer.Start(ctx, p.text(), options...)
}

func (p *program) run(provider trace.TracerProvider) {
	ctx, span := p.start(bg, provider.Tracer("test"))
	spans := []trace.Span{span}
	for len(p.rest) > 0 {
		span := spans[p.next(len(spans))]
		switch p.next(10) {
		case 0:
			inner, started := p.start(ctx, provider.Tracer("test"))
			ctx, spans = inner, append(spans, started)
		case 1, 2:
			span.SetAttributes(p.attributes(4)...)
		case 3:
			span.AddEvent(p.text(), trace.WithAttributes(p.attributes(3)...), trace.WithTimestamp(p.at()))
		case 4:
			span.AddLink(p.link())
		case 5:
			span.SetStatus(codes.Code(p.next(4)), p.text())
		case 6:
			span.SetName(p.text())
		case 7:
			span.RecordError(errors.New(p.text()), trace.WithAttributes(p.attributes(2)...))
		case 8:
			span.End(trace.WithTimestamp(p.at()))
		case 9:
			tell(span, p.attributes(1)...)
		}
	}
	for _, span := range spans {
		span.End()
	}
}

// FuzzAsTheSDK looks for what we tell otherwise than the SDK.
func FuzzAsTheSDK(f *testing.F) {
	for limit := range int8(5) {
		f.Add(limit-1, limit, []byte("\x03\x01\x02\x03 some text that says what to do, and again, \x08\x05\x04\x07\xFF\x80\x10"))
	}
	f.Fuzz(func(t *testing.T, limit, length int8, bytes []byte) {
		n := max(int(limit), -1)
		limits := sdktrace.SpanLimits{
			AttributeValueLengthLimit: max(int(length), -1), AttributeValueDepthLimit: n, AttributeCountLimit: n,
			EventCountLimit: n, LinkCountLimit: n, AttributePerEventCountLimit: n, AttributePerLinkCountLimit: n,
		}
		if len(bytes) > 1<<10 {
			return
		}
		compare(t, setting{limits, sdktrace.AlwaysSample()}, func(p trace.TracerProvider) { (&program{bytes}).run(p) })
	})
}
