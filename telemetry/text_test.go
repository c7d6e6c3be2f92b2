package telemetry_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"spangate/telemetry"
	"spangate/telemetry/export"
	"spangate/telemetry/export/tracer"
)

// TestSpansKeepLittleOfWhatIsSent holds that a span which waits for its export
// keeps no more of a request than its limit says, whatever that is a part of.
func TestSpansKeepLittleOfWhatIsSent(t *testing.T) {
	const requests, sent, limit = 200, 60_000, 100
	var waiting []*tracer.Ended
	tel := telemetry.From(telemetry.Config{}, export.Providers{
		Tracer: tracer.New(tracer.Config{
			Sampler: sdktrace.AlwaysSample(), Limits: sdktrace.NewSpanLimits(),
			Export: func(span *tracer.Ended) bool { waiting = append(waiting, span); return true },
		}),
		LongestText: limit,
	}, nil, slog.New(slog.DiscardHandler))
	h := tel.Server(http.NotFoundHandler())
	for _, part := range []string{"method", "path", "query", "host", "agent", "path behind an unknown method", "method before a path"} {
		before := heap()
		for range requests {
			long := strings.Repeat("x", sent)
			r := httptest.NewRequest("GET", "/", nil)
			switch part {
			case "method":
				r.Method = long
			case "path behind an unknown method", "method before a path": // of one text, as a server reads them
				line := "FOO /" + long
				if part == "method before a path" {
					line = long + " /"
				}
				method, target, _ := strings.Cut(line, " ")
				r = httptest.NewRequest("GET", target, nil)
				r.Method, r.RequestURI = method, target
				r.URL.Path = target
			case "path":
				r = httptest.NewRequest("GET", "/"+long+"?a=b", nil)
			case "query":
				r = httptest.NewRequest("GET", "/a?"+long, nil)
			case "host":
				r.Host = long + ":80"
			case "agent":
				r.Header.Set("User-Agent", long)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
		if grown := int(heap()) - int(before); grown > requests*sent/2 {
			t.Errorf("%d spans of requests with a %s of %d bytes keep %d bytes", requests, part, sent, grown)
		}
	}
	for _, span := range waiting {
		if text := span.Value.Bytes; bytes.Contains(text, bytes.Repeat([]byte("x"), limit+1)) {
			t.Fatalf("the limit is %d: %s", limit, text)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestCutTexts(t *testing.T) {
	for _, test := range []struct{ sent, want string }{
		{"short", "short"}, {"exactly ten", "exactly te"}, {"nine byteé", "nine byte"}, {strings.Repeat("\xff", 11), strings.Repeat("\xff", 10)}, {strings.Repeat("\xbf", 20), strings.Repeat("\xbf", 7)},
	} {
		recorder := tracetest.NewSpanRecorder()
		tel := telemetry.From(telemetry.Config{}, export.Providers{
			Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)), LongestText: 10,
		}, nil, slog.New(slog.DiscardHandler))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("User-Agent", test.sent)
		tel.Server(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
		for _, kv := range recorder.Ended()[0].Attributes() {
			if kv.Key == "user_agent.original" && kv.Value.AsString() != test.want {
				t.Errorf("%q is cut to %q, want %q", test.sent, kv.Value.AsString(), test.want)
			}
		}
	}
}
