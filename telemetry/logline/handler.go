package logline

import (
	"context"
	"io"
	"log/slog"
)

// NewHandler returns the handler of the program's own log: lines on w, as text
// when the access log is, else as JSON, with the ids of the span in a record's
// context.
func NewHandler(cfg Config, w io.Writer) slog.Handler {
	form := cfg.form()
	return traced{form.handler(w, cfg.Level), form}
}

// traced adds the ids of the span in a record's context to the record.
type traced struct {
	slog.Handler
	form form
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
