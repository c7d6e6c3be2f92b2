package telemetry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// LogFormat is the form of a log's lines.
type LogFormat string

// The formats. The zero value counts as LogOff.
const (
	LogJSON LogFormat = "json"
	LogText LogFormat = "text"
	LogOff  LogFormat = "off"
)

// UnmarshalText parses the name of a format.
func (f *LogFormat) UnmarshalText(text []byte) error {
	switch format := LogFormat(text); format {
	case LogJSON, LogText, LogOff:
		*f = format
		return nil
	}
	return errors.New("must be json, text or off")
}

// maxAccessBacklog bounds, in bytes, the lines that wait for a slow reader of
// the log.
const maxAccessBacklog = 4 << 20

// AccessLog writes one line for each request. Requests never wait for it:
// lines are formatted where they arise, put on a lock-free list, and written by
// [AccessLog.Run]. When the reader of the log is so slow that the backlog
// passes its bound, lines are dropped and counted.
type AccessLog struct {
	lines   sync.Pool // of *formattedLine
	newest  atomic.Pointer[formattedLine]
	backlog atomic.Int64 // bytes
	dropped atomic.Int64
	wake    chan struct{} // of capacity 1
}

// formattedLine is a line and, as a slog handler has one writer, the handler
// that formats into it.
type formattedLine struct {
	bytes.Buffer
	handler slog.Handler
	older   *formattedLine
}

// NewAccessLog returns a log in the given format, or nil for LogOff.
func NewAccessLog(format LogFormat) *AccessLog {
	if format != LogJSON && format != LogText {
		return nil
	}
	l := &AccessLog{wake: make(chan struct{}, 1)}
	l.lines.New = func() any {
		line := &formattedLine{}
		if format == LogText {
			line.handler = slog.NewTextHandler(line, nil)
		} else {
			line.handler = slog.NewJSONHandler(line, nil)
		}
		return line
	}
	return l
}

// Run writes lines to w until ctx is done, and then what is left. It returns
// the number of lines that were dropped.
func (l *AccessLog) Run(ctx context.Context, w io.Writer) (dropped int64) {
	for {
		select {
		case <-l.wake:
			l.flush(w)
		case <-ctx.Done():
			l.flush(w)
			return l.dropped.Load()
		}
	}
}

// flush writes all lines so far, oldest first, in as few writes as it can.
func (l *AccessLog) flush(w io.Writer) {
	var oldest *formattedLine
	for line := l.newest.Swap(nil); line != nil; {
		line.older, oldest, line = oldest, line, line.older
	}
	var batch bytes.Buffer
	for line := oldest; line != nil; {
		next := line.older
		batch.Write(line.Bytes())
		l.backlog.Add(-int64(line.Len()))
		line.Reset()
		line.older = nil
		l.lines.Put(line)
		if line = next; line == nil || batch.Len() > 64<<10 {
			w.Write(batch.Bytes()) // a log that cannot be written has nobody to be told
			batch.Reset()
		}
	}
}

func (l *AccessLog) push(line *formattedLine) {
	if l.backlog.Add(int64(line.Len())) > maxAccessBacklog {
		l.backlog.Add(-int64(line.Len()))
		l.dropped.Add(1)
		line.Reset()
		l.lines.Put(line)
		return
	}
	older := l.newest.Load()
	for line.older = older; !l.newest.CompareAndSwap(older, line); line.older = older {
		older = l.newest.Load()
	}
	// Once on the list the line is the writer's.
	if older == nil {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// accessLine is what a line says beside what the request says.
type accessLine struct {
	start          time.Time
	duration       time.Duration
	outcome        outcome
	scheme, host   string
	client         netip.Addr
	received, sent int64
}

func (l *AccessLog) write(ctx context.Context, r *http.Request, e *exchange, a accessLine) {
	record := slog.NewRecord(a.start, slog.LevelInfo, "request", 0)
	record.AddAttrs(
		slog.String("method", r.Method),
		slog.String("host", a.host),
		slog.String("path", r.URL.EscapedPath()),
	)
	if r.URL.RawQuery != "" {
		record.AddAttrs(slog.String("query", redactQuery(r.URL.RawQuery)))
	}
	record.AddAttrs(
		slog.String("protocol", r.Proto),
		slog.Int("status", a.outcome.status),
		slog.Float64("duration", a.duration.Seconds()),
		slog.Int64("received", a.received),
		slog.Int64("sent", a.sent),
	)
	if a.client.IsValid() {
		record.AddAttrs(slog.String("client", a.client.String()))
	}
	if agent := r.Header.Get("User-Agent"); agent != "" {
		record.AddAttrs(slog.String("user_agent", agent))
	}
	if e.attempts > 0 {
		record.AddAttrs(slog.String("backend", e.backend), slog.Int("attempts", e.attempts))
	}
	if a.outcome.errorType != "" {
		record.AddAttrs(slog.String("error_type", a.outcome.errorType))
	}
	if e.failure != nil && e.failure.Err != nil {
		record.AddAttrs(slog.String("error", e.failure.Err.Error()))
	}
	addTrace(ctx, &record)
	line := l.lines.Get().(*formattedLine)
	line.handler.Handle(ctx, record)
	l.push(line)
}

// addTrace adds the ids of the span in ctx, if there is one, to record.
func addTrace(ctx context.Context, record *slog.Record) {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		record.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
}
