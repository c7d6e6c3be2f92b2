package telemetry

import (
	"context"
	"io"
	"log/slog"
)

// LogHandler returns the handler of the program's own log: lines on w, as text
// when the access log is, else as JSON, with the ids of the span in a record's
// context.
func LogHandler(w io.Writer, cfg Config) slog.Handler {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.AccessLog == LogText {
		return traced{slog.NewTextHandler(w, options)}
	}
	return traced{slog.NewJSONHandler(w, options)}
}

// traced adds the ids of the span in a record's context to the record.
type traced struct{ slog.Handler }

func (h traced) Handle(ctx context.Context, record slog.Record) error {
	addTrace(ctx, &record)
	return h.Handler.Handle(ctx, record)
}

func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traced{h.Handler.WithAttrs(attrs)}
}

func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }
