package logline

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"spangate/handler"
)

// entry is what a line may be told.
type entry struct {
	name  string
	value any
}

// add adds an entry to a line.
func (e entry) add(l *Line) {
	switch v := e.value.(type) {
	case string:
		l.String(e.name, v)
	case int64:
		l.Int(e.name, v)
	case bool:
		l.Bool(e.name, v)
	case time.Duration:
		l.Seconds(e.name, v)
	case netip.Addr:
		l.Addr(e.name, v)
	case []entry:
		l.Group(e.name, func(l *Line) {
			for _, e := range v {
				e.add(l)
			}
		})
	}
}

// attr is the same for package slog.
func (e entry) attr() slog.Attr {
	switch v := e.value.(type) {
	case time.Duration:
		return slog.Float64(e.name, v.Seconds())
	case netip.Addr:
		return slog.String(e.name, v.String())
	case []entry:
		var attrs []any
		for _, e := range v {
			attrs = append(attrs, e.attr())
		}
		return slog.Group(e.name, attrs...)
	}
	return slog.Any(e.name, e.value)
}

// bySlog returns the line as a handler of package slog writes it, with all visible.
func bySlog(t testing.TB, cfg Config, ctx context.Context, start time.Time, level slog.Level, entries []entry) string {
	t.Helper()
	var line bytes.Buffer
	record := slog.NewRecord(start, level, "request", 0)
	for _, e := range entries {
		record.AddAttrs(e.attr())
	}
	if err := NewHandler(cfg, &line).Handle(ctx, record); err != nil {
		t.Fatal(err)
	}
	return string(handler.Visible(line.Bytes()))
}

func written(cfg Config, ctx context.Context, start time.Time, level slog.Level, entries []entry) string {
	var out bytes.Buffer
	lines := NewLines(&out)
	line := NewAccessLog(cfg, lines).Line(start, level)
	for _, e := range entries {
		e.add(line)
	}
	line.Write(ctx)
	lines.writeOut()
	return out.String()
}

var everyForm = []Config{
	{AccessLog: asText}, {AccessLog: asJSON}, {AccessLog: asJSON, Fields: gcp}, {AccessLog: asJSON, Fields: gcp, Project: `a"cme`}, {AccessLog: asText, Fields: gcp},
}

// TestLinesAreAsOfSlog holds that lines are, byte for byte, what handlers of package
// slog write: the program's own lines are theirs.
func TestLinesAreAsOfSlog(t *testing.T) {
	texts := []string{
		"", "plain", "with space", `"quoted"`, `back\slash`, "a=b", "a\nb\r\tc", "\x00\x01\x1b[31m\x1f", "\x7f", "<script>&amp;'", "\u2028\u2029", "\u0085\u00a0\u202e\u2066\u200b\ufeff",
		"ü日本語🚀", "\U000e0041\U0010ffff", "\ufffd", "\xff\xc2a\xe2\x80", "a\u202ee space", "\x7f and space",
	}
	var entries []entry
	for _, text := range texts {
		entries = append(entries, entry{"text", text})
	}
	for _, n := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		entries = append(entries, entry{"number", n}, entry{"took", time.Duration(n)})
	}
	for d := time.Duration(1); d > 0; d *= 7 {
		entries = append(entries, entry{"took", d}, entry{"took", -d})
	}
	for _, addr := range []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("fe80::1").WithZone("\"e\x1b h\u202e"), {}} {
		entries = append(entries, entry{"client", addr})
	}
	entries = append(entries, entry{"yes", true}, entry{"no", false})
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 0xab}, SpanID: trace.SpanID{2, 0xff}, TraceFlags: trace.FlagsSampled})
	for _, cfg := range everyForm {
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelWarn + 1, slog.LevelError} {
			for _, ctx := range []context.Context{t.Context(), trace.ContextWithSpanContext(t.Context(), span), trace.ContextWithSpanContext(t.Context(), span.WithTraceFlags(0))} {
				for _, start := range []time.Time{
					time.Now(), time.Unix(0, 0).UTC(), time.Unix(1, 999_999_999), time.Unix(1, 500_000), time.Unix(1, 120_000_000).In(time.FixedZone("", -5400)),
				} {
					all := entries
					if !cfg.form().text {
						all = append(all, entry{"group", entries}, entry{"after", "it"})
					}
					if diff := cmp.Diff(bySlog(t, cfg, ctx, start, level, all), written(cfg, ctx, start, level, all)); diff != "" {
						t.Fatalf("%+v, %v (-slog +line):\n%s", cfg, level, diff)
					}
				}
			}
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\u2028\xff\x7f<\"", int64(1234567), int64(1700000000123456789), 4)
	f.Fuzz(func(t *testing.T, text string, n, at int64, level int) {
		entries := []entry{{"text", text}, {"number", n}, {"took", time.Duration(n)}, {"client", netip.MustParseAddr("fe80::1").WithZone(text)}}
		for _, cfg := range everyForm {
			cfg.Project = text
			start, level := time.Unix(0, at), slog.Level(level)
			if want, got := bySlog(t, cfg, t.Context(), start, level, entries), written(cfg, t.Context(), start, level, entries); got != want {
				t.Errorf("%+v:\n%q, slog:\n%q", cfg, got, want)
			}
		}
	})
}

// The memory of a line that is very long is not kept.
func TestLongLineIsForgotten(t *testing.T) {
	lines := NewLines(io.Discard)
	log := NewAccessLog(Config{AccessLog: asJSON}, lines)
	line := log.Line(time.Now(), slog.LevelInfo)
	line.String("path", string(make([]byte, 2*largestKept)))
	line.Write(t.Context())
	lines.writeOut()
	if line = log.Line(time.Now(), slog.LevelInfo); cap(line.text) > largestKept {
		t.Errorf("%d bytes are kept", cap(line.text))
	}
}

// writeUsual writes the line of a request as most are.
func writeUsual(log *AccessLog) {
	line := log.Line(time.Unix(1700000000, 123456789), slog.LevelInfo)
	for _, field := range [...][2]string{{"method", "GET"}, {"host", "localhost:8080"}, {"path", "/hello"}, {"protocol", "HTTP/1.1"}} {
		line.String(field[0], field[1])
	}
	line.Int("status", 200)
	line.Seconds("duration", 1234567)
	line.Seconds("time_to_first_byte", 991234)
	line.Int("received", 0)
	line.Int("sent", 1024)
	line.Addr("client", netip.AddrFrom4([4]byte{192, 0, 2, 1}))
	line.String("user_agent", "curl/7.88.1")
	line.String("backend", "http://app-1:3000")
	line.Int("attempts", 1)
	line.String("request_id", "01a21904-1d70-7fd2-9bd9-70de4bf6f556")
	line.Write(context.Background())
}

func BenchmarkLine(b *testing.B) {
	lines := NewLines(io.Discard)
	log := NewAccessLog(Config{AccessLog: asJSON}, lines)
	b.ReportAllocs()
	for b.Loop() {
		writeUsual(log)
		lines.writeOut()
	}
}
