package setup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Keep says which requests are exported though the sampler said no. The zero
// value is none.
type Keep struct {
	Errors, Retries bool
	Slow            time.Duration // to the first byte of the answer; 0: however slow
}

// UnmarshalText parses a comma list of error, retry and slow:DURATION, or none.
func (k *Keep) UnmarshalText(text []byte) error {
	*k = Keep{}
	if strings.TrimSpace(string(text)) == "none" {
		return nil
	}
	for reason := range strings.SplitSeq(string(text), ",") {
		name, value, given := strings.Cut(strings.TrimSpace(reason), ":")
		switch {
		case name == "error" && !given:
			k.Errors = true
		case name == "retry" && !given:
			k.Retries = true
		case name == "slow" && given:
			slow, err := time.ParseDuration(value)
			if err != nil || slow <= 0 {
				return fmt.Errorf("slow:%s: must be a duration above zero, such as slow:1s", value)
			}
			k.Slow = slow
		default:
			return errors.New("must be a comma list of error, retry and slow:DURATION, or none")
		}
	}
	return nil
}

func (k Keep) any() bool { return k != Keep{} }

// The attributes of a SERVER span that its fate depends on, and the one that
// tells it.
const (
	attemptCountKey    = attribute.Key("spangate.attempt.count")
	timeToFirstByteKey = attribute.Key("spangate.time_to_first_byte")
	samplingReasonKey  = attribute.Key("spangate.sampling.reason")
)

// ofClient are the failures that clients cause at will. They keep nothing: who
// hangs up again and again would decide what is exported.
var ofClient = map[string]bool{"client_disconnected": true, "client_timeout": true}

// reason returns why the request whose SERVER span is s is to be exported, or
// nothing.
func (k Keep) reason(s sdktrace.ReadOnlySpan) string {
	took := s.EndTime().Sub(s.StartTime())
	failed := s.Status().Code == codes.Error
	retried := false
	for _, kv := range s.Attributes() {
		switch kv.Key {
		case attemptCountKey:
			retried = kv.Value.AsInt64() > 1
		case timeToFirstByteKey:
			took = time.Duration(kv.Value.AsFloat64() * float64(time.Second))
		case semconv.ErrorTypeKey:
			failed = failed && !ofClient[kv.Value.AsString()]
		}
	}
	switch {
	case k.Errors && failed:
		return "error"
	case k.Retries && retried:
		return "retry"
	case k.Slow > 0 && took >= k.Slow:
		return "slow"
	}
	return ""
}

// How many spans wait for the end of their requests, of all requests and of
// one. What comes on top is given up, and counted if its request is kept.
const (
	mostHeld       = 8192
	mostHeldOfOne  = 128
	heldShardCount = 64
)

// keeper holds the spans of requests that are not sampled until the SERVER
// span ends, and hands them on if Keep says so. A span that ends later than
// that is not kept. Requests do not share a lock but one in 64.
type keeper struct {
	keep   Keep
	next   *batcher[sdktrace.ReadOnlySpan]
	held   atomic.Int64
	shards [heldShardCount]struct {
		sync.Mutex
		requests map[trace.SpanID]*heldRequest // by their SERVER spans
	}
}

type heldRequest struct {
	spans   []sdktrace.ReadOnlySpan
	givenUp int
}

func newKeeper(keep Keep, next *batcher[sdktrace.ReadOnlySpan]) *keeper {
	k := &keeper{keep: keep, next: next}
	for i := range k.shards {
		k.shards[i].requests = map[trace.SpanID]*heldRequest{}
	}
	return k
}

// OnStart implements [sdktrace.SpanProcessor].
func (k *keeper) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	if sc := s.SpanContext(); !sc.IsSampled() && s.SpanKind() == trace.SpanKindServer {
		shard := &k.shards[sc.SpanID()[7]%heldShardCount]
		shard.Lock()
		shard.requests[sc.SpanID()] = &heldRequest{}
		shard.Unlock()
	}
}

// OnEnd implements [sdktrace.SpanProcessor].
func (k *keeper) OnEnd(s sdktrace.ReadOnlySpan) {
	sc := s.SpanContext()
	switch {
	case sc.IsSampled():
		k.next.add(s)
	case s.SpanKind() == trace.SpanKindServer:
		k.settle(s)
	default:
		k.hold(s)
	}
}

func (k *keeper) hold(s sdktrace.ReadOnlySpan) {
	// Each span of a request is a child of its SERVER span.
	id := s.Parent().SpanID()
	shard := &k.shards[id[7]%heldShardCount]
	shard.Lock()
	defer shard.Unlock()
	request := shard.requests[id]
	switch {
	case request == nil:
	case len(request.spans) >= mostHeldOfOne:
		request.givenUp++
	case k.held.Add(1) > mostHeld:
		k.held.Add(-1)
		request.givenUp++
	default:
		request.spans = append(request.spans, s)
	}
}

func (k *keeper) settle(server sdktrace.ReadOnlySpan) {
	id := server.SpanContext().SpanID()
	shard := &k.shards[id[7]%heldShardCount]
	shard.Lock()
	request := shard.requests[id]
	delete(shard.requests, id)
	shard.Unlock()
	if request == nil {
		return
	}
	k.held.Add(-int64(len(request.spans)))
	reason := k.keep.reason(server)
	if reason == "" {
		return
	}
	for _, s := range request.spans {
		k.next.add(kept{ReadOnlySpan: s})
	}
	k.next.add(kept{server, reason})
	k.next.drop(keepFull, request.givenUp)
}

// ForceFlush implements [sdktrace.SpanProcessor].
func (k *keeper) ForceFlush(ctx context.Context) error { return k.next.flush(ctx) }

// Shutdown leaves the batcher to SDK.Shutdown, which knows the order.
func (k *keeper) Shutdown(context.Context) error { return nil }

// kept is a span that is exported though it was not sampled.
type kept struct {
	sdktrace.ReadOnlySpan
	reason string // of the SERVER span
}

func (s kept) SpanContext() trace.SpanContext {
	sc := s.ReadOnlySpan.SpanContext()
	return sc.WithTraceFlags(sc.TraceFlags().WithSampled(true))
}

func (s kept) Attributes() []attribute.KeyValue {
	attributes := s.ReadOnlySpan.Attributes()
	if s.reason == "" {
		return attributes
	}
	return append(attributes[:len(attributes):len(attributes)], samplingReasonKey.String(s.reason))
}
