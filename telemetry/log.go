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
	form := cfg.lineForm()
	if form.text {
		return traced{slog.NewTextHandler(w, form.options(cfg.LogLevel)), form}
	}
	return traced{slog.NewJSONHandler(w, form.options(cfg.LogLevel)), form}
}

// traced adds the ids of the span in a record's context to the record.
type traced struct {
	slog.Handler
	form lineForm
}

func (h traced) Handle(ctx context.Context, record slog.Record) error {
	h.form.addTrace(ctx, &record)
	return h.Handler.Handle(ctx, record)
}

func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traced{h.Handler.WithAttrs(attrs), h.form}
}

func (h traced) WithGroup(name string) slog.Handler {
	return traced{h.Handler.WithGroup(name), h.form}
}
