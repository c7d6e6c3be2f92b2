package console

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	of "go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/contract"
	"spangate/telemetry/export/tracer"
)

// stage makes spans, which last as many milliseconds as they are started before the
// next one, and hands them to a console.
type stage struct {
	trace.Tracer
	trees *Trees
	out   strings.Builder
	clock time.Time
	held  [][]byte // ended, and not yet exported
	hold  bool
}

func newStage(coloured bool) *stage {
	s := &stage{clock: time.Unix(1700000000, 0)}
	s.trees = NewTrees(&s.out, coloured)
	limits := sdktrace.SpanLimits{AttributeValueLengthLimit: -1, AttributeCountLimit: -1, EventCountLimit: -1, LinkCountLimit: -1, AttributePerEventCountLimit: -1, AttributePerLinkCountLimit: -1}
	s.Tracer = tracer.New(tracer.Config{Sampler: sdktrace.AlwaysSample(), Limits: limits, Export: func(e *tracer.Ended) bool {
		s.held = append(s.held, e.Value.Bytes)
		if !s.hold {
			s.export()
		}
		return true
	}}).Tracer("test")
	return s
}

func (s *stage) export() {
	if err := s.trees.Export(s.held); err != nil {
		panic(err)
	}
	s.held = nil
}

// printed returns what was, while time may pass.
func (s *stage) printed() string {
	s.trees.mu.Lock()
	defer s.trees.mu.Unlock()
	return s.out.String()
}

// start starts a span, a millisecond after the last.
func (s *stage) start(ctx context.Context, name string, kind trace.SpanKind, attributes ...string) (context.Context, trace.Span) {
	s.clock = s.clock.Add(time.Millisecond)
	ctx, span := s.Start(ctx, name, trace.WithSpanKind(kind), trace.WithTimestamp(s.clock))
	for _, kv := range attributes {
		key, value, _ := strings.Cut(kv, "=")
		span.SetAttributes(of.String(key, value))
	}
	return ctx, span
}

// end ends a span, a millisecond after what was last.
func (s *stage) end(span trace.Span) {
	s.clock = s.clock.Add(time.Millisecond)
	span.End(trace.WithTimestamp(s.clock))
}

func fail(span trace.Span, why string) {
	span.SetStatus(codes.Error, "")
	span.SetAttributes(of.String("error.type", why))
}

var background = context.Background()

// request has a request tried at two backends, with ends of the attempts in that order.
func (s *stage) request() (server trace.Span) {
	ctx, server := s.start(background, "GET", trace.SpanKindServer, "url.path=/a", "user_agent.original=test")
	_, first := s.start(ctx, "GET", trace.SpanKindClient, "spangate.backend=http://a")
	fail(first, "connection_refused")
	s.end(first)
	_, retry := s.start(ctx, "retry", trace.SpanKindInternal, "spangate.retry.attempt=1", "spangate.retry.reason=connection_refused")
	s.end(retry)
	_, second := s.start(ctx, "GET", trace.SpanKindClient, resends+"=1", "spangate.backend=http://b")
	second.AddLink(trace.Link{SpanContext: first.SpanContext()})
	s.end(second)
	server.SetAttributes(of.Int("http.response.status_code", 200), of.String("spangate.retry.stop_reason", "success"))
	return server
}

// named replaces the traces' ids by letters, in the order in which they come.
func named(text string) string {
	names := map[string]string{}
	return regexp.MustCompile(`(trace[= ])[0-9a-f]{8}\b`).ReplaceAllStringFunc(text, func(found string) string {
		id := found[6:]
		if names[id] == "" {
			names[id] = string(rune('A' + len(names)))
		}
		return found[:6] + names[id]
	})
}

func TestTrees(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(s *stage)
		want string
	}{
		{"a request", func(s *stage) { s.end(s.request()) }, `
GET                       SERVER   7.0 ms   url.path=/a http.response.status_code=200 trace=A
├─ GET                    CLIENT   1.0 ms   error.type=connection_refused spangate.backend=http://a
├─ retry                  INTERNAL 1.0 ms   spangate.retry.reason=connection_refused spangate.retry.attempt=1
└─ GET                    CLIENT   1.0 ms   http.request.resend_count=1 spangate.backend=http://b ← attempt 0
`},
		{"all in one export, the root first", func(s *stage) {
			s.hold = true
			ctx, server := s.start(background, "GET", trace.SpanKindServer)
			_, client := s.start(ctx, "GET", trace.SpanKindClient)
			s.end(server)
			s.end(client)
			s.export()
		}, `
GET                       SERVER   2.0 ms   trace=A
└─ GET                    CLIENT   2.0 ms
`},
		{"spans in spans", func(s *stage) {
			ctx, probe := s.start(background, "probe", trace.SpanKindInternal, "spangate.backend=a")
			deeper, client := s.start(ctx, "GET", trace.SpanKindClient)
			_, deepest := s.start(deeper, "deep", trace.SpanKindInternal, "a.b=c")
			_, last := s.start(ctx, "last", trace.SpanKindProducer)
			fail(probe, "timeout")
			for _, span := range []trace.Span{deepest, client, last, probe} {
				s.end(span)
			}
		}, `
probe                     INTERNAL 7.0 ms   error.type=timeout spangate.backend=a trace=A
├─ GET                    CLIENT   4.0 ms
│  └─ deep                INTERNAL 2.0 ms   a.b=c
└─ last                   PRODUCER 3.0 ms
`},
		{"a probe that succeeds", func(s *stage) {
			ctx, probe := s.start(background, "probe", trace.SpanKindInternal, "spangate.backend=a", "spangate.probe.result=success")
			_, client := s.start(ctx, "GET", trace.SpanKindClient)
			s.end(client)
			s.end(probe)
		}, `
probe                     INTERNAL 3.0 ms   spangate.backend=a spangate.probe.result=success trace=A
`},
		{"a remote parent, links to other traces", func(s *stage) {
			remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, Remote: true, TraceFlags: trace.FlagsSampled})
			other := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{2}, SpanID: trace.SpanID{2}})
			_, span := s.start(trace.ContextWithSpanContext(background, remote), "GET", trace.SpanKindServer)
			span.AddLink(trace.Link{SpanContext: other})
			span.AddLink(trace.Link{SpanContext: other})
			span.AddLink(trace.Link{SpanContext: remote})
			s.end(span)
		}, `
GET                       SERVER   1.0 ms   ← trace A, trace B trace=B
`},
		{"two requests of one trace", func(s *stage) {
			remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, Remote: true, TraceFlags: trace.FlagsSampled})
			var servers, clients [2]trace.Span
			for i := range servers {
				ctx, server := s.start(trace.ContextWithSpanContext(background, remote), fmt.Sprint("server ", i), trace.SpanKindServer)
				servers[i] = server
				_, clients[i] = s.start(ctx, fmt.Sprint("client ", i), trace.SpanKindClient)
			}
			for _, span := range []trace.Span{clients[0], clients[1], servers[0], servers[1]} {
				s.end(span)
			}
		}, `
server 0                  SERVER   6.0 ms   trace=A
└─ client 0               CLIENT   3.0 ms
server 1                  SERVER   5.0 ms   trace=A
└─ client 1               CLIENT   2.0 ms
`},
		{"late", func(s *stage) {
			ctx, server := s.start(background, "GET", trace.SpanKindServer)
			deeper, client := s.start(ctx, "GET", trace.SpanKindClient)
			_, deepest := s.start(deeper, "deep", trace.SpanKindInternal)
			s.end(deepest)
			s.end(server)
			s.end(client)
		}, `
GET                       SERVER   4.0 ms   trace=A
GET                       CLIENT   4.0 ms   trace=A (late)
└─ deep                   INTERNAL 1.0 ms
`},
		{"failed without a type", func(s *stage) {
			_, span := s.start(background, "work", trace.SpanKindInternal)
			span.SetStatus(codes.Error, "")
			s.end(span)
		}, `
work                      INTERNAL 1.0 ms   Error trace=A
`},
		{"never ended", func(s *stage) {
			s.request()
			if s.out.Len() > 0 {
				panic("before its root")
			}
			if err := s.trees.Shutdown(); err != nil {
				panic(err)
			}
		}, `
GET                       CLIENT   1.0 ms   error.type=connection_refused spangate.backend=http://a trace=A (its parent has not ended)
retry                     INTERNAL 1.0 ms   spangate.retry.reason=connection_refused spangate.retry.attempt=1 trace=A (its parent has not ended)
GET                       CLIENT   1.0 ms   http.request.resend_count=1 spangate.backend=http://b ← attempt 0 trace=A (its parent has not ended)
`},
		{"after the shutdown", func(s *stage) {
			if err := s.trees.Shutdown(); err != nil {
				panic(err)
			}
			ctx, server := s.start(background, "GET", trace.SpanKindServer)
			_, client := s.start(ctx, "GET", trace.SpanKindClient)
			s.end(client)
			s.end(server)
		}, `
GET                       CLIENT   1.0 ms   trace=A (its parent has not ended)
GET                       SERVER   3.0 ms   trace=A
`},
		{"values", func(s *stage) {
			_, span := s.start(background, "a name that is longer than its column", trace.SpanKindInternal)
			span.SetAttributes(of.Bool("b", true), of.Int("i", -7), of.Float64("f", 0.1), of.StringSlice("l", []string{"x", "y z"}),
				of.IntSlice("n", []int{1, 2}), of.String("e", ""), of.String("s", `a "b"`), of.String("long", strings.Repeat("ä", 300)))
			s.clock = s.clock.Add(90 * time.Second)
			s.end(span)
		}, `
a name that is longer than its column INTERNAL 90.0 s   b=true i=-7 f=0.1 l="x,y z" n=1,2 e="" s="a \"b\"" long=` + strings.Repeat("ä", 200) + `… trace=A
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(false)
			test.play(s)
			if diff := cmp.Diff(test.want[1:], named(s.out.String())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What is told is what the contract has.
func TestToldIsInTheContract(t *testing.T) {
	for of, keys := range telling {
		for _, key := range keys {
			if !slices.ContainsFunc(contract.Spans, func(s contract.Span) bool {
				return (s.Name == of || s.Kind == of) && slices.Contains(s.Attributes, key)
			}) {
				t.Errorf("no span %s has %s", of, key)
			}
		}
	}
}

// A line stays a line, whatever is in it, and is not too long.
func TestTreesHideNothing(t *testing.T) {
	for _, text := range []string{hostile, "a\nGET SERVER", "\x9b31m\xff", strings.Repeat("\u202e", 5000), "\U0001f600\u200b"} {
		for _, coloured := range []bool{false, true} {
			s := newStage(coloured)
			_, span := s.start(background, text, trace.SpanKindInternal, "url.path="+text, text+"="+text)
			fail(span, text)
			s.end(span)
			line := strings.TrimSuffix(s.out.String(), "\n")
			if coloured {
				line = regexp.MustCompile(`\x1b\[[0-9]*m`).ReplaceAllString(line, "")
			}
			if at := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); at >= 0 {
				t.Errorf("coloured: %t: %.40q is hidden in %.400q", coloured, line[at:], line)
			}
		}
	}
}

func TestColours(t *testing.T) {
	s := newStage(true)
	s.end(s.request())
	const want = "\x1b[1mGET\x1b[0m                       SERVER   7.0 ms   \x1b[2murl.path=\x1b[0m/a \x1b[2mhttp.response.status_code=\x1b[0m200 \x1b[2mtrace=A\x1b[0m\n" +
		"\x1b[2m├─ \x1b[0m\x1b[31mGET\x1b[0m                    CLIENT   1.0 ms   \x1b[2merror.type=\x1b[0m\x1b[31mconnection_refused\x1b[0m \x1b[2mspangate.backend=\x1b[0mhttp://a\n"
	if got := named(s.out.String()); !strings.HasPrefix(got, want) {
		t.Errorf("%q,\nwant %q first", got, want)
	}
}

// Spans that wait for a root are written without it once they have waited for long, or
// are too many. None is left out, and none comes twice.
func TestWaitingIsBounded(t *testing.T) {
	t.Run("time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(false)
			first := s.request()
			time.Sleep(patience / 2)
			s.request()
			synctest.Wait()
			if got := s.printed(); got != "" {
				t.Errorf("after half the time: %s", got)
			}
			time.Sleep(patience / 2)
			synctest.Wait()
			if n := strings.Count(s.printed(), "its parent has not ended"); n != 3 {
				t.Errorf("%d lines after the time of the first: %s", n, s.printed())
			}
			time.Sleep(patience / 2)
			synctest.Wait()
			s.end(first)
			if n := strings.Count(s.out.String(), "\n"); n != 7 || len(s.trees.queue) > 0 {
				t.Errorf("%d lines, want 7, and %d still queued: %s", n, len(s.trees.queue), &s.out)
			}
		})
	})
	t.Run("number", func(t *testing.T) {
		s := newStage(false)
		const n = 3 * maxWaiting
		for range n / 3 {
			s.request()
			if len(s.trees.byID) > maxWaiting || len(s.trees.shown.known) > maxShown {
				t.Fatalf("%d wait, %d are known", len(s.trees.byID), len(s.trees.shown.known))
			}
		}
		if err := s.trees.Shutdown(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(s.out.String(), "\n"); got != n {
			t.Errorf("%d lines of %d spans", got, n)
		}
	})
	t.Run("what waits no more", func(t *testing.T) {
		s := newStage(false)
		s.request()
		for range 2 * maxWaiting {
			s.end(s.request())
		}
		if n := len(s.trees.queue); n > 2*maxWaiting {
			t.Errorf("%d are queued of which 3 wait", n)
		}
	})
}

type broken struct{ error }

func (w broken) Write([]byte) (int, error) { return 0, w.error }

func TestWriteFails(t *testing.T) {
	s := newStage(false)
	s.hold = true
	s.end(s.request())
	s.request()
	want := errors.New("nobody reads")
	trees := NewTrees(broken{want}, false)
	if err := trees.Export(s.held); !errors.Is(err, want) {
		t.Errorf("export: %v", err)
	}
	if err := trees.Shutdown(); !errors.Is(err, want) {
		t.Errorf("shutdown: %v", err)
	}
}
