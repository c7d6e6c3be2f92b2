package telemetry_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"spangate/telemetry"
	"spangate/telemetry/export"
	"spangate/telemetry/logline"
)

func newTelemetry(recorder *tracetest.SpanRecorder, access *logline.AccessLog) *telemetry.Telemetry {
	providers := export.Providers{
		Tracer: tracenoop.NewTracerProvider(), Propagator: propagation.TraceContext{},
	}
	if recorder != nil {
		providers.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	}
	t := telemetry.From(telemetry.Config{}, providers, access, slog.New(slog.DiscardHandler))
	return t
}

func ExampleTelemetry_Server() {
	recorder := tracetest.NewSpanRecorder()
	t := newTelemetry(recorder, nil)
	h := t.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/pot?token=secret", nil))
	for _, span := range recorder.Ended() {
		fmt.Println(span.Name(), span.SpanKind(), span.Status().Code)
		for _, attr := range span.Attributes() {
			switch attr.Key {
			case "url.path", "url.query", "http.response.status_code":
				fmt.Println(" ", attr.Key, attr.Value.String())
			}
		}
	}
	// Output:
	// GET server Unset
	//   url.path /pot
	//   url.query token=REDACTED
	//   http.response.status_code 418
}

func TestServerOutlivesAPanic(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	h := newTelemetry(recorder, nil).Server(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh no") }))
	func() {
		defer func() {
			if got := recover(); got != http.ErrAbortHandler {
				t.Errorf("panicked with %v, want http.ErrAbortHandler", got)
			}
		}()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}()
	spans := recorder.Ended()
	if len(spans) != 1 || spans[0].Status().Code.String() != "Error" || len(spans[0].Events()) != 0 {
		t.Fatalf("spans %v", spans)
	}
	for _, attr := range spans[0].Attributes() {
		if attr.Key == "error.type" && attr.Value.AsString() != "internal_error" {
			t.Errorf("error.type is %s", attr.Value.AsString())
		}
	}
}

// Where nothing is recorded, a panic is logged all the same.
func TestPanicsAreLoggedWhenNothingIsRecorded(t *testing.T) {
	var log bytes.Buffer
	tel := telemetry.From(telemetry.Config{}, export.Providers{
		Off: true, Tracer: tracenoop.NewTracerProvider(),
	}, nil, slog.New(slog.NewTextHandler(&log, nil)))
	for _, panicked := range []any{"oh no", http.ErrAbortHandler} {
		log.Reset()
		func() {
			defer func() {
				if got := recover(); got != http.ErrAbortHandler {
					t.Errorf("panicked with %v, want http.ErrAbortHandler", got)
				}
			}()
			tel.Server(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(panicked) })).
				ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		}()
		if logged := strings.Contains(log.String(), "oh no") && strings.Contains(log.String(), "TestPanicsAreLogged"); logged != (panicked == "oh no") {
			t.Errorf("after a panic with %v the log is %q", panicked, &log)
		}
	}
}

func TestServerKeepsTheWritersOtherFaces(t *testing.T) {
	h := newTelemetry(nil, nil).Server(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "x")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
		if conn, _, err := http.NewResponseController(w).Hijack(); err != nil {
			t.Errorf("Hijack: %v", err)
		} else {
			conn.Close()
		}
	}))
	server := httptest.NewServer(h)
	defer server.Close()
	if resp, err := http.Get(server.URL); err == nil {
		resp.Body.Close()
	}
}

func TestAccessLogKeepsEachLine(t *testing.T) {
	const workers, each = 8, 500
	var out bytes.Buffer
	lines := logline.NewLines(&out)
	h := newTelemetry(nil, logline.NewAccessLog(logline.Config{AccessLog: "text"}, lines)).Server(http.NotFoundHandler())
	go lines.Run()
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := range each {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", fmt.Sprintf("/%d/%d/end", worker, i), nil))
			}
		})
	}
	wg.Wait()
	lines.Close(time.Minute)
	if n := lines.Dropped(); n != 0 {
		t.Errorf("%d lines dropped", n)
	}
	for worker := range workers {
		rest := out.String()
		for i := range each {
			_, after, found := strings.Cut(rest, fmt.Sprintf(" path=/%d/%d/end ", worker, i))
			if !found {
				t.Fatalf("the line of request %d/%d is missing or out of order", worker, i)
			}
			rest = after
		}
	}
}

// stuck is a log whose reader has stopped.
type stuck struct {
	writing chan struct{}
	resume  chan struct{}
	n       int
}

func (s *stuck) Write(p []byte) (int, error) {
	s.writing <- struct{}{}
	<-s.resume
	s.n += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

func TestNobodyWaitsForTheLogsReader(t *testing.T) {
	out := &stuck{writing: make(chan struct{}, 1<<20), resume: make(chan struct{})}
	lines := logline.NewLines(out)
	h := newTelemetry(nil, logline.NewAccessLog(logline.Config{AccessLog: "json"}, lines)).Server(http.NotFoundHandler())
	log := slog.New(slog.NewJSONHandler(lines, nil))
	ended := make(chan struct{})
	go func() { defer close(ended); lines.Run() }()
	log.Info("first")
	<-out.writing
	const requests = 10_000 // 10 MB of lines, more than may wait
	for range requests {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/"+strings.Repeat("x", 1000), nil))
	}
	lines.Close(time.Millisecond)
	close(out.resume)
	<-ended
	if n := lines.Dropped(); n == 0 || int(n)+out.n != requests+1 {
		t.Errorf("%d lines dropped and %d written, want %d together, some of them dropped", n, out.n, requests+1)
	}
}

func BenchmarkServer(b *testing.B) {
	lines := logline.NewLines(io.Discard)
	go lines.Run()
	defer lines.Close(time.Minute)
	for name, h := range map[string]http.Handler{
		"bare":       http.NotFoundHandler(),
		"unsampled":  newTelemetry(nil, nil).Server(http.NotFoundHandler()),
		"sampled":    newTelemetry(tracetest.NewSpanRecorder(), nil).Server(http.NotFoundHandler()),
		"with a log": newTelemetry(nil, logline.NewAccessLog(logline.Config{AccessLog: "json"}, lines)).Server(http.NotFoundHandler()),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest("GET", "/path?x=1", nil)
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}

// nowhere is a response that nobody reads.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) WriteHeader(int)             {}
