// Package tracer records spans and writes each of them once: when it ends it becomes
// the bytes that OTLP sends of it, and nothing else is kept.
//
// What a span is, is the SDK's to say: its samplers and limits decide here as they do
// there, and a test holds that what is written is what the SDK's exporter writes. Only
// the way from one to the other is shorter: there a span is copied three times before
// it is bytes, for some hundred allocations.
package tracer

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"spangate/telemetry/export/otlp"
	"spangate/telemetry/export/queue"
)

// Config says which spans are recorded, what they hold, and where they go.
type Config struct {
	// Sampler decides which spans are recorded. It is asked with an empty context about
	// one that has no parent.
	Sampler sdktrace.Sampler

	// Whole has spans share the fate of their parent, without asking the Sampler, if
	// that is one of the provider's.
	Whole bool

	Limits sdktrace.SpanLimits

	// IDs makes identifiers. nil makes random ones, and has traces that begin here say
	// so (W3C Trace Context Level 2), which those of others do not.
	IDs sdktrace.IDGenerator

	// Export takes each span that has ended, and reports whether it keeps it until it
	// releases it. It is called concurrently, by those who end spans, and must not
	// wait. nil drops them all.
	Export func(*Ended) (kept bool)
}

// Span is one that has ended, as a message of OTLP.
type Span = otlp.Item

// Ended is a span that has ended, and a place for it in a queue.
type Ended = queue.Item[Span]

// Provider makes tracers. It is safe for concurrent use, as are its tracers and their
// spans.
type Provider struct {
	embedded.TracerProvider

	cfg    Config
	random trace.TraceFlags // of traces that begin here
	spans  otlp.Bounds      // of the values of spans' attributes
	parts  otlp.Bounds      // and of those of events and links
	counts counts
	drafts sync.Pool // of *draft
	filled sync.Pool // of *block: with room
	empty  sync.Pool // of *block

	mu      sync.Mutex
	tracers map[instrumentation.Scope]*tracer
}

// New returns a provider. A depth of attributes that is not set is the SDK's default.
//
// A span that ends is exported, as one of a trace that is sampled, also when the
// sampler had it recorded alone: who does not want it does not end it.
func New(cfg Config) *Provider {
	var random trace.TraceFlags
	if cfg.IDs == nil {
		cfg.IDs, random = randomIDs{}, trace.FlagsRandom
	}
	if cfg.Limits.AttributeValueDepthLimit == 0 {
		cfg.Limits.AttributeValueDepthLimit = sdktrace.DefaultAttributeValueDepthLimit
	}
	return &Provider{
		cfg:     cfg,
		random:  random,
		spans:   otlp.Bounds{Length: cfg.Limits.AttributeValueLengthLimit, Depth: cfg.Limits.AttributeValueDepthLimit},
		parts:   otlp.Bounds{Length: -1, Depth: cfg.Limits.AttributeValueDepthLimit},
		tracers: map[instrumentation.Scope]*tracer{},
	}
}

// Sampled returns a tracer as by is, one of p's, of whose spans sampler decides in place
// of [Config.Sampler].
func (p *Provider) Sampled(by trace.Tracer, sampler sdktrace.Sampler) trace.Tracer {
	t := *by.(*tracer)
	t.sampler = sampler
	return &t
}

// Tracer implements [trace.TracerProvider].
func (p *Provider) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	config := trace.NewTracerConfig(options...)
	scope := instrumentation.Scope{
		Name: name, Version: config.InstrumentationVersion(),
		SchemaURL: config.SchemaURL(), Attributes: config.InstrumentationAttributes(),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.tracers[scope]
	if !ok {
		t = &tracer{provider: p, sampler: p.cfg.Sampler, scope: otlp.NewScope(scope, p.parts)}
		p.tracers[scope] = t
	}
	return t
}

// randomIDs makes identifiers as the SDK does, which does not export its own.
type randomIDs struct{}

func (g randomIDs) NewIDs(ctx context.Context) (id trace.TraceID, _ trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id, g.NewSpanID(ctx, id)
}

func (randomIDs) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}
