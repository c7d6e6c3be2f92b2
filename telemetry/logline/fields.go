package logline

import (
	"context"
	"io"
	"log/slog"

	"go.opentelemetry.io/otel/trace"

	"spangate/handler/config"
)

// fields is whose names the lines of a JSON log use.
type fields string

// The names. The zero value counts as plain.
const (
	plain fields = "plain" // log/slog's
	// Google Cloud Logging's, so that it knows how grave a line is, which trace it
	// belongs to, and which request it is of.
	// https://cloud.google.com/logging/docs/structured-logging
	gcp fields = "gcp"
)

// UnmarshalText accepts the name of a choice, and auto for that of no platform.
func (f *fields) UnmarshalText(text []byte) error {
	err := config.OneOf(f, text, "auto", plain, gcp)
	if *f == "auto" {
		*f = plain
	}
	return err
}

// form is how lines are written, by the configuration.
type form struct {
	text    bool
	gcp     bool
	project string // of Google Cloud; empty: it is not known
}

func (c Config) form() form {
	return form{text: c.AccessLog == asText, gcp: c.Fields == gcp && c.AccessLog != asText, project: c.Project}
}

// handler returns one that writes to w.
func (f form) handler(w io.Writer, least slog.Leveler) slog.Handler {
	options := &slog.HandlerOptions{Level: least}
	switch {
	case f.text:
		return slog.NewTextHandler(w, options)
	case f.gcp:
		options.ReplaceAttr = replaceForGCP
	}
	return slog.NewJSONHandler(w, options)
}

func replaceForGCP(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		a.Key = "severity"
		if level, ok := a.Value.Any().(slog.Level); ok && level == slog.LevelWarn {
			a.Value = slog.StringValue("WARNING")
		}
	}
	return a
}

// addTrace adds the ids of the span in ctx, if there is one, to record.
func (f form) addTrace(ctx context.Context, record *slog.Record) {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return
	}
	id, span := sc.TraceID().String(), sc.SpanID().String()
	record.AddAttrs(slog.String("trace_id", id), slog.String("span_id", span))
	if f.gcp {
		if f.project != "" {
			id = "projects/" + f.project + "/traces/" + id
		}
		record.AddAttrs(
			slog.String("logging.googleapis.com/trace", id), slog.String("logging.googleapis.com/spanId", span),
			slog.Bool("logging.googleapis.com/trace_sampled", sc.IsSampled()))
	}
}
