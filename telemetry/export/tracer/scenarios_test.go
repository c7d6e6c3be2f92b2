package tracer_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

var bg = context.Background()

var then = time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC)

// values are attributes of each type, and of each that is out of the ordinary.
var values = []attribute.KeyValue{
	attribute.Bool("bool", true), attribute.Bool("no", false),
	attribute.Int("int", 1), attribute.Int64("zero", 0), attribute.Int64("least", math.MinInt64), attribute.Int64("most", math.MaxInt64),
	attribute.Float64("float", 1.5), attribute.Float64("nothing", 0), attribute.Float64("minus nothing", math.Copysign(0, -1)), attribute.Float64("infinite", math.Inf(1)),
	attribute.String("string", "text"), attribute.String("empty string", ""), attribute.String("long", strings.Repeat("aé☃😀", 100)),
	attribute.String("replaced", "a\uFFFDb\uFFFDc"), attribute.String("longer than a byte tells", strings.Repeat("x", 127)), attribute.String("longer than two tell", strings.Repeat("x", 1<<14)),
	attribute.ByteSlice("bytes", []byte("\x00\xFFabcdefgh")), attribute.ByteSlice("no bytes", nil),
	attribute.BoolSlice("bools", []bool{true, false, true, true, false}), attribute.BoolSlice("no bools", nil),
	attribute.IntSlice("ints", []int{1, -2, 3}), attribute.Int64Slice("int64s", []int64{1, 2, 3, 4, 5, 6, 7}), attribute.Int64Slice("no ints", []int64{}),
	attribute.Float64Slice("floats", []float64{0, -1.5, math.MaxFloat64, math.SmallestNonzeroFloat64}),
	attribute.StringSlice("strings", []string{"", "a", "ééééé", strings.Repeat("long", 50)}), attribute.StringSlice("no strings", nil),
	attribute.Slice("slice", attribute.StringValue("ééééé"), attribute.IntValue(2), attribute.Value{}, attribute.SliceValue(attribute.SliceValue(attribute.BoolSliceValue([]bool{true})))),
	attribute.Slice("no slice"),
	attribute.Map("map", attribute.String("b", "ééééé"), attribute.Int("a", 1), attribute.Int("b", 2), attribute.String("b", "last"), attribute.Map("c", attribute.Int("d", 1), attribute.Int("d", 2), attribute.KeyValue{Key: "e"})),
	attribute.Map("no map"), attribute.Map("large map", attribute.Int("1", 1), attribute.Int("2", 2), attribute.Int("3", 3), attribute.Int("4", 4), attribute.Int("5", 5), attribute.Int("6", 6)),
	{Key: "nothing at all"},
	attribute.String("", "without a key"), {},
}

// deep returns a value with so many others around it.
func deep(n int) attribute.Value {
	v := attribute.StringSliceValue([]string{"inmost"})
	for i := range n {
		if i%2 == 0 {
			v = attribute.SliceValue(v)
		} else {
			v = attribute.MapValue(attribute.KeyValue{Key: "in", Value: v})
		}
	}
	return v
}

func parent(flags trace.TraceFlags, remote bool) context.Context {
	state, err := trace.ParseTraceState("a=1,b=2")
	if err != nil {
		panic(err)
	}
	return trace.ContextWithSpanContext(bg, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0: 1, 15: 2}, SpanID: trace.SpanID{0: 3, 7: 4}, TraceFlags: flags, TraceState: state, Remote: remote,
	}))
}

func linkTo(n byte, flags trace.TraceFlags, remote bool, attributes ...attribute.KeyValue) trace.Link {
	return trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{n}, SpanID: trace.SpanID{n}, TraceFlags: flags, Remote: remote,
	}), Attributes: attributes}
}

// one returns what records a span and calls do with it before it ends.
func one(do func(trace.Span), options ...trace.SpanStartOption) func(trace.TracerProvider) {
	return func(p trace.TracerProvider) {
		_, span := p.Tracer("test").Start(bg, "span", options...)
		do(span)
		span.End()
	}
}

func nothing(trace.Span) {}

// scenarios are what programs do with spans.
var scenarios = map[string]func(trace.TracerProvider){
	"nothing is ended": func(p trace.TracerProvider) { p.Tracer("test").Start(bg, "span") },
	"a span":           one(nothing),
	"without a context": func(p trace.TracerProvider) {
		var none context.Context
		_, span := p.Tracer("test").Start(none, "span")
		span.End()
	},
	"all values at the start": one(nothing, trace.WithAttributes(values...)),
	"all values later":        one(func(s trace.Span) { s.SetAttributes(values...) }),
	"all values one by one":   one(func(s trace.Span) { each(values, func(kv attribute.KeyValue) { s.SetAttributes(kv) }) }),
	"all values twice":        one(func(s trace.Span) { s.SetAttributes(values...); s.SetAttributes(values...) }),
	"no values":               one(func(s trace.Span) { s.SetAttributes(); s.SetAttributes([]attribute.KeyValue{}...) }),
	"deep values": one(func(s trace.Span) {
		s.SetAttributes(attribute.KeyValue{Key: "deep", Value: deep(70)}, attribute.KeyValue{Key: "less", Value: deep(63)})
	}),
	"deep bytes": one(func(s trace.Span) {
		s.SetAttributes(attribute.Slice("a", attribute.ByteSliceValue(nil), attribute.SliceValue(attribute.ByteSliceValue([]byte("abc")))))
	}),
	"all values of an event": one(func(s trace.Span) { s.AddEvent("event", trace.WithAttributes(values...), trace.WithTimestamp(then)) }),
	"deep values of an event": one(func(s trace.Span) {
		s.AddEvent("event", trace.WithAttributes(attribute.KeyValue{Key: "deep", Value: deep(70)}))
	}),
	"all values of a link": one(func(s trace.Span) { s.AddLink(linkTo(1, 0, false, values...)) }),
	"one key, several values": one(func(s trace.Span) {
		s.SetAttributes(attribute.Int("same", 1), attribute.Int("other", 1), attribute.String("same", "x"), attribute.Int("same", 3))
	}),
	"one key, at both times": one(func(s trace.Span) { s.SetAttributes(attribute.Int("same", 2)) }, trace.WithAttributes(attribute.Int("same", 1))),
	"one key, longer, shorter": one(func(s trace.Span) {
		s.SetAttributes(attribute.String("a", "x"), attribute.String("b", "y"))
		s.SetAttributes(attribute.String("a", strings.Repeat("x", 300)))
		s.SetAttributes(attribute.String("a", ""))
	}),
	"many keys": one(func(s trace.Span) {
		for i := range 200 {
			s.SetAttributes(attribute.Int(fmt.Sprint("key ", i), i), attribute.Int("same", i))
		}
	}),
	"many keys at once": one(func(s trace.Span) {
		var all []attribute.KeyValue
		for i := range 300 {
			all = append(all, attribute.Int(fmt.Sprint("key ", i%250), i), attribute.KeyValue{})
		}
		s.SetAttributes(all...)
	}),

	"all values told":       one(func(s trace.Span) { tell(s, values...) }),
	"all values told twice": one(func(s trace.Span) { tell(s, values...); tell(s, values...) }),
	"told, and set":         one(func(s trace.Span) { tell(s, values...); s.SetAttributes(values...) }),
	"set, and told":         one(func(s trace.Span) { s.SetAttributes(values...); tell(s, values...) }),
	"told after the end":    one(func(s trace.Span) { s.End(); tell(s, values...) }),
	"long keys told": one(func(s trace.Span) {
		for n := range 140 {
			key := attribute.Key(strings.Repeat("k", n+1))
			tell(s, key.String(strings.Repeat("x", 60)), ("a" + key).Int(-n), ("b" + key).Float64(1), ("c" + key).Bool(true))
		}
	}),

	"a server":    one(nothing, trace.WithSpanKind(trace.SpanKindServer)),
	"a client":    one(nothing, trace.WithSpanKind(trace.SpanKindClient)),
	"a producer":  one(nothing, trace.WithSpanKind(trace.SpanKindProducer)),
	"a consumer":  one(nothing, trace.WithSpanKind(trace.SpanKindConsumer)),
	"unspecified": one(nothing, trace.WithSpanKind(trace.SpanKindUnspecified)),
	"no kind":     one(nothing, trace.WithSpanKind(99)),

	"unset":             one(func(s trace.Span) { s.SetStatus(codes.Unset, "why") }),
	"an error":          one(func(s trace.Span) { s.SetStatus(codes.Error, "why") }),
	"ok":                one(func(s trace.Span) { s.SetStatus(codes.Ok, "why") }),
	"ok after an error": one(func(s trace.Span) { s.SetStatus(codes.Error, "why"); s.SetStatus(codes.Ok, "") }),
	"an error after ok": one(func(s trace.Span) { s.SetStatus(codes.Ok, ""); s.SetStatus(codes.Error, "why") }),
	"unset after both":  one(func(s trace.Span) { s.SetStatus(codes.Error, "why"); s.SetStatus(codes.Unset, "") }),
	"another error":     one(func(s trace.Span) { s.SetStatus(codes.Error, "why"); s.SetStatus(codes.Error, "else") }),
	"no status":         one(func(s trace.Span) { s.SetStatus(77, "why") }),
	"a long status":     one(func(s trace.Span) { s.SetStatus(codes.Error, strings.Repeat("é", 1000)) }),
	"another name":      one(func(s trace.Span) { s.SetName("another"); s.SetName("a third") }),
	"no name":           one(func(s trace.Span) { s.SetName("") }),
	"a long name":       one(func(s trace.Span) { s.SetName(strings.Repeat("name ", 1000)) }),
	"an event":          one(func(s trace.Span) { s.AddEvent("event") }),
	"an event at no time": one(func(s trace.Span) {
		s.AddEvent("", trace.WithTimestamp(time.Unix(0, 0)), trace.WithTimestamp(time.Time{}))
	}),
	"an event long ago": one(func(s trace.Span) { s.AddEvent("event", trace.WithTimestamp(time.Unix(-5, 0))) }),
	"many events": one(func(s trace.Span) {
		for i := range 200 {
			s.AddEvent(fmt.Sprint("event ", i), trace.WithAttributes(attribute.String("text", strings.Repeat("x", i))))
		}
	}),
	"an exception":              one(func(s trace.Span) { s.RecordError(errors.New("why"), trace.WithAttributes(attribute.Int("more", 1))) }),
	"an exception of our own":   one(func(s trace.Span) { s.RecordError(mistake("why")); s.RecordError(&struct{ mistake }{"why"}) }),
	"an exception with a stack": one(func(s trace.Span) { s.RecordError(errors.New("why"), trace.WithStackTrace(true)) }),
	"no exception":              one(func(s trace.Span) { s.RecordError(nil) }),
	"a link":                    one(nothing, trace.WithLinks(linkTo(1, trace.FlagsSampled, true, attribute.Int("n", 1)), linkTo(2, 0, false))),
	"a link to nothing":         one(func(s trace.Span) { s.AddLink(trace.Link{}); s.AddLink(trace.Link{Attributes: values[:1]}) }),
	"a link with a trace state": one(func(s trace.Span) { s.AddLink(trace.LinkFromContext(parent(0xFF, true))) }),
	"many links": one(func(s trace.Span) {
		for i := range 200 {
			s.AddLink(linkTo(byte(i), trace.TraceFlags(i), i%2 == 0, attribute.Int("n", i), attribute.Int("n", 2*i)))
		}
	}),

	"with a time": func(p trace.TracerProvider) {
		_, span := p.Tracer("test").Start(bg, "span", trace.WithTimestamp(then))
		span.End(trace.WithTimestamp(then.Add(time.Second)))
	},
	"with no time": func(p trace.TracerProvider) {
		_, span := p.Tracer("test").Start(bg, "span", trace.WithTimestamp(time.Time{}))
		time.Sleep(time.Second)
		span.End(trace.WithTimestamp(time.Time{}))
	},
	"before all time": func(p trace.TracerProvider) {
		_, span := p.Tracer("test").Start(bg, "span", trace.WithTimestamp(time.Unix(-1, 0)))
		span.End(trace.WithTimestamp(time.Unix(0, 0)))
	},
	"by the clock": func(p trace.TracerProvider) {
		_, span := p.Tracer("test").Start(bg, "span")
		time.Sleep(1234567 * time.Nanosecond)
		span.End()
	},
	"started long ago": func(p trace.TracerProvider) {
		_, span := p.Tracer("test").Start(bg, "span", trace.WithTimestamp(then))
		time.Sleep(time.Second)
		span.End()
	},
	"ended twice, and used after": func(p trace.TracerProvider) {
		ctx, span := p.Tracer("test").Start(bg, "span")
		span.End(trace.WithTimestamp(then))
		span.End(trace.WithTimestamp(then.Add(time.Hour)))
		span.SetName("late")
		span.SetAttributes(attribute.Int("late", 1))
		span.SetStatus(codes.Error, "late")
		span.AddEvent("late")
		span.AddLink(linkTo(1, 0, false))
		span.RecordError(errors.New("late"))
		_, child := p.Tracer("test").Start(ctx, fmt.Sprint("child ", span.IsRecording()))
		child.End()
	},
	"what can be asked": func(p trace.TracerProvider) {
		ctx, span := p.Tracer("test").Start(parent(trace.FlagsSampled, true), "span")
		sc := span.SpanContext()
		span.SetAttributes(attribute.Bool("recording", span.IsRecording()), attribute.String("context", fmt.Sprint(sc.TraceID(), sc.SpanID(), sc.TraceFlags(), sc.TraceState(), sc.IsRemote())),
			attribute.Bool("same", span.TracerProvider() == p), attribute.Bool("found", trace.SpanContextFromContext(ctx).Equal(sc)))
		span.End()
	},

	"a child of a remote span":     child(trace.FlagsSampled, true),
	"a child of a local span":      child(trace.FlagsSampled, false),
	"a child of an unsampled span": child(0, true),
	"a child with other flags":     child(0xFE, true),
	"a child of a span without a trace": func(p trace.TracerProvider) {
		_, span := p.Tracer("test").Start(trace.ContextWithSpanContext(bg, trace.NewSpanContext(trace.SpanContextConfig{SpanID: trace.SpanID{1}, Remote: true})), "span")
		span.End()
	},
	"a child of a trace without a span": func(p trace.TracerProvider) {
		_, span := p.Tracer("test").Start(trace.ContextWithSpanContext(bg, trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}})), "span")
		span.End()
	},
	"a new root": func(p trace.TracerProvider) {
		_, span := p.Tracer("test").Start(parent(trace.FlagsSampled, true), "span", trace.WithNewRoot())
		span.End()
	},
	"children": func(p trace.TracerProvider) {
		ctx, span := p.Tracer("test").Start(bg, "span")
		for i := range 3 {
			_, child := p.Tracer("test").Start(ctx, fmt.Sprint("child ", i))
			child.End()
		}
		span.End()
	},
	"several scopes": func(p trace.TracerProvider) {
		for range 2 {
			for _, tracer := range []trace.Tracer{
				p.Tracer("b"), p.Tracer("a", trace.WithInstrumentationVersion("1"), trace.WithSchemaURL("https://example.com/1")),
				p.Tracer("a", trace.WithInstrumentationAttributes(attribute.Int("n", 1), attribute.Map("m", attribute.Int("x", 1), attribute.Int("y", 2)))), p.Tracer("a"),
			} {
				_, span := tracer.Start(bg, "span")
				span.End()
			}
		}
	},
	"several options": one(nothing, trace.WithAttributes(attribute.Int("a", 1)), trace.WithLinks(linkTo(1, 0, false)),
		trace.WithAttributes(attribute.Int("a", 2), attribute.Int("b", 2)), trace.WithLinks(linkTo(2, 0, false))),
}

func child(flags trace.TraceFlags, remote bool) func(trace.TracerProvider) {
	return func(p trace.TracerProvider) {
		ctx, span := p.Tracer("test").Start(parent(flags, remote), "span")
		_, inner := p.Tracer("test").Start(ctx, "inner")
		inner.End()
		span.End()
	}
}

func each[E any](all []E, do func(E)) {
	for _, e := range all {
		do(e)
	}
}

// mistake is an error with a type of its own.
type mistake string

func (m mistake) Error() string { return string(m) }
