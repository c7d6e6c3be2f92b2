package logline

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"spangate/handler"
)

// AccessLog writes one line for each request. It is safe for concurrent use,
// and requests never wait for it: lines are formatted where they arise.
type AccessLog struct {
	to    *Lines
	form  form
	pages sync.Pool // of *page
}

// page is a line, what it is to say, and, as a slog handler has one writer, the
// handler that formats into it.
type page struct {
	line
	facts   []slog.Attr
	handler slog.Handler
}

// NewAccessLog returns a log in the format of cfg, or nil for off.
func NewAccessLog(cfg Config, to *Lines) *AccessLog {
	if cfg.AccessLog != asJSON && cfg.AccessLog != asText {
		return nil
	}
	l := &AccessLog{to: to, form: cfg.form()}
	l.pages.New = func() any {
		p := &page{}
		p.release = func() { l.pages.Put(p) }
		p.handler = l.form.handler(p, slog.LevelInfo)
		return p
	}
	return l
}

// Google reports whether the line of a request is to have what Google Cloud
// Logging shows beside it.
func (l *AccessLog) Google() bool { return l.form.gcp }

// Write writes the line of a request that began at start: what facts appends, and
// the ids of the span in ctx.
func (l *AccessLog) Write(ctx context.Context, start time.Time, level slog.Level, facts func([]slog.Attr) []slog.Attr) {
	p := l.pages.Get().(*page)
	p.facts = facts(p.facts)
	record := slog.NewRecord(start, level, "request", 0)
	record.AddAttrs(p.facts...)
	clear(p.facts) // whose texts are the client's
	p.facts = p.facts[:0]
	l.form.addTrace(ctx, &record)
	p.handler.Handle(ctx, record)
	if shown := handler.Visible(p.Bytes()); len(shown) != p.Len() {
		p.Reset()
		p.Buffer.Write(shown)
	}
	l.to.push(&p.line)
}
