package tracer

import (
	"context"
	"encoding/binary"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"google.golang.org/protobuf/encoding/protowire"

	"spangate/telemetry/export/otlp"
)

// The numbers of a Span's fields.
const (
	attributesField = 9
	eventsField     = 11
	linksField      = 13
)

// span is one that is recorded, and its context. What it is told is written at once;
// what can change until it ends, and comes before that, is kept.
type span struct {
	context.Context
	embedded.Span

	tracer *tracer
	sc     trace.SpanContext
	parent trace.SpanID
	remote bool // the parent is in another process
	kind   trace.SpanKind
	start  time.Time

	mu         sync.Mutex // held to change what follows
	name       string
	status     sdktrace.Status
	attributes attributes
	events     list
	links      list
	ended      atomic.Bool
}

// Value implements [context.Context].
func (s *span) Value(key any) any {
	if key == spanKey {
		return s
	}
	return s.Context.Value(key)
}

// SpanContext implements [trace.Span].
func (s *span) SpanContext() trace.SpanContext { return s.sc }

// TracerProvider implements [trace.Span].
func (s *span) TracerProvider() trace.TracerProvider { return s.tracer.provider }

// IsRecording implements [trace.Span]: it reports whether the span has not ended.
func (s *span) IsRecording() bool {
	return !s.ended.Load()
}

// SetName implements [trace.Span].
func (s *span) SetName(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended.Load() {
		s.name = name
	}
}

// SetStatus implements [trace.Span]: Ok goes before Error, and both go before Unset.
func (s *span) SetStatus(code codes.Code, description string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() || s.status.Code > code {
		return
	}
	s.status = sdktrace.Status{Code: code}
	if code == codes.Error {
		s.status.Description = description
	}
}

// SetAttributes implements [trace.Span].
func (s *span) SetAttributes(attributes ...attribute.KeyValue) {
	if len(attributes) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() {
		return
	}
	s.attributes.open(s.tracer.provider)
	s.attributes.set(attributes...)
}

// AddEvent implements [trace.Span].
func (s *span) AddEvent(name string, options ...trace.EventOption) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() {
		return
	}
	config, p := trace.NewEventConfig(options...), s.tracer.provider
	kept, dropped := cut(config.Attributes(), p.cfg.Limits.AttributePerEventCountLimit)
	s.events.add(p.cfg.Limits.EventCountLimit, func(b []byte) []byte {
		b, at := otlp.Open(b, eventsField)
		b = otlp.AppendTime(b, 1, config.Timestamp())
		b = otlp.AppendText(b, 2, name)
		b = otlp.AppendAttributes(b, 3, kept, p.parts)
		return otlp.Shut(otlp.AppendNumber(b, 4, dropped), at)
	})
}

// AddLink implements [trace.Span]. A link that says nothing is left out.
func (s *span) AddLink(link trace.Link) {
	sc := link.SpanContext
	if !sc.IsValid() && len(link.Attributes) == 0 && sc.TraceState().Len() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() {
		return
	}
	p := s.tracer.provider
	kept, dropped := cut(link.Attributes, p.cfg.Limits.AttributePerLinkCountLimit)
	s.links.add(p.cfg.Limits.LinkCountLimit, func(b []byte) []byte {
		b, at := otlp.Open(b, linksField)
		b = appendIDs(b, sc)
		b = otlp.AppendAttributes(b, 4, kept, p.parts)
		b = otlp.AppendNumber(b, 5, dropped)
		return otlp.Shut(appendFlags(append(b, otlp.Tag(6, protowire.Fixed32Type)), sc.TraceFlags(), sc.IsRemote()), at)
	})
}

// RecordError implements [trace.Span]: the error becomes an event.
func (s *span) RecordError(err error, options ...trace.EventOption) {
	if err == nil || !s.IsRecording() {
		return
	}
	options = append(options, trace.WithAttributes(
		semconv.ExceptionType(typeName(err)), semconv.ExceptionMessage(err.Error())))
	if config := trace.NewEventConfig(options...); config.StackTrace() {
		stack := make([]byte, 2048)
		stack = stack[:runtime.Stack(stack, false)]
		options = append(options, trace.WithAttributes(semconv.ExceptionStacktrace(string(stack))))
	}
	s.AddEvent(semconv.ExceptionEventName, options...)
}

func typeName(v any) string {
	t := reflect.TypeOf(v)
	if t.PkgPath() == "" && t.Name() == "" {
		return t.String() // such as a pointer's
	}
	return fmt.Sprintf("%s.%s", t.PkgPath(), t.Name())
}

// End implements [trace.Span]. It does not look for a panic.
func (s *span) End(options ...trace.SpanEndOption) {
	config := trace.NewSpanEndConfig(options...)
	end := config.Timestamp()
	if end.IsZero() {
		end = s.start.Add(time.Since(s.start)) // by the clock that has run on since
	}
	s.EndAt(end)
}

// EndAt is End with that time, without an option, which would take memory.
func (s *span) EndAt(end time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() {
		return
	}
	s.isOver()
	p := s.tracer.provider
	if p.cfg.Export == nil {
		return
	}
	d := s.attributes.of
	if d == nil {
		d = p.draft()
	}
	var space [256]byte
	d.bytes = s.appendRest(d.bytes)
	p.export(s.tracer.scope, s.appendFirst(space[:0], end), d.bytes)
	p.discard(d)
	s.attributes.of = nil
}

// appendFirst appends what comes before a span's attributes.
func (s *span) appendFirst(b []byte, end time.Time) []byte {
	b = appendIDs(b, s.sc)
	b = appendState(b, s.sc.TraceState())
	if s.parent.IsValid() {
		b = append(b, otlp.Tag(4, protowire.BytesType), byte(len(s.parent)))
		b = append(b, s.parent[:]...)
	}
	b = otlp.AppendText(b, 5, s.name)
	b = otlp.AppendNumber(b, 6, int(s.kind)) // the numbers are OTLP's
	b = otlp.AppendTime(b, 7, s.start)
	return otlp.AppendTime(b, 8, end)
}

// appendRest appends what comes behind them.
func (s *span) appendRest(b []byte) []byte {
	b = otlp.AppendNumber(b, 10, s.attributes.dropped)
	b = append(b, s.events.bytes...)
	b = otlp.AppendNumber(b, 12, s.events.dropped)
	b = append(b, s.links.bytes...)
	b = otlp.AppendNumber(b, 14, s.links.dropped)
	b, at := otlp.Open(b, 15)
	b = otlp.AppendText(b, 2, s.status.Description)
	switch s.status.Code {
	case codes.Ok:
		b = otlp.AppendNumber(b, 3, 1)
	case codes.Error:
		b = otlp.AppendNumber(b, 3, 2)
	}
	b = otlp.Shut(b, at)
	b = protowire.AppendTag(b, 16, protowire.Fixed32Type)
	return appendFlags(b, s.sc.TraceFlags().WithSampled(true), s.remote)
}

func appendIDs(b []byte, sc trace.SpanContext) []byte {
	traceID, spanID := sc.TraceID(), sc.SpanID()
	b = append(b, otlp.Tag(1, protowire.BytesType), byte(len(traceID)))
	b = append(b, traceID[:]...)
	b = append(b, otlp.Tag(2, protowire.BytesType), byte(len(spanID)))
	return append(b, spanID[:]...)
}

// appendState appends a trace state as it stands in its field.
func appendState(b []byte, state trace.TraceState) []byte {
	if state.Len() == 0 {
		return b
	}
	b, at := otlp.Open(b, 3)
	first := true
	state.Walk(func(key, value string) bool {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(append(b, key...), '='), value...)
		return true
	})
	return otlp.Shut(b, at)
}

// The bits of SpanFlags above those of the trace context.
const (
	knowsRemote = 1 << 8
	isRemote    = 1 << 9
)

func appendFlags(b []byte, flags trace.TraceFlags, remote bool) []byte {
	all := uint32(flags) | knowsRemote
	if remote {
		all |= isRemote
	}
	return binary.LittleEndian.AppendUint32(b, all)
}
