package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"strconv"

	"go.opentelemetry.io/otel/trace"
)

// LogFields is whose names the lines of a JSON log use.
type LogFields string

// The names. The zero value counts as LogFieldsPlain.
const (
	LogFieldsPlain LogFields = "plain" // log/slog's
	// Google Cloud Logging's, so that it knows how grave a line is, which trace it
	// belongs to, and which request it is of.
	// https://cloud.google.com/logging/docs/structured-logging
	LogFieldsGCP LogFields = "gcp"
)

// UnmarshalText accepts the name of a choice, and auto for that of no platform.
func (f *LogFields) UnmarshalText(text []byte) error {
	switch fields := LogFields(text); fields {
	case "auto":
		*f = LogFieldsPlain
	case LogFieldsPlain, LogFieldsGCP:
		*f = fields
	default:
		return errors.New("must be auto, plain or gcp")
	}
	return nil
}

// lineForm is how lines are written, by the configuration.
type lineForm struct {
	text    bool
	gcp     bool
	project string // of Google Cloud; empty: it is not known
}

func (c Config) lineForm() lineForm {
	return lineForm{text: c.AccessLog == LogText, gcp: c.LogFields == LogFieldsGCP && c.AccessLog != LogText, project: c.Project}
}

func (f lineForm) options(least slog.Leveler) *slog.HandlerOptions {
	options := &slog.HandlerOptions{Level: least}
	if f.gcp {
		options.ReplaceAttr = replaceForGCP
	}
	return options
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
func (f lineForm) addTrace(ctx context.Context, record *slog.Record) {
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

// addRequest adds what Google Cloud shows of a request beside its line.
// https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest
func (f lineForm) addRequest(record *slog.Record, s *served) {
	if !f.gcp {
		return
	}
	r := s.request
	request := []any{
		slog.String("requestMethod", r.Method), slog.String("requestUrl", fullURL(s.scheme, s.host, r.URL)), slog.Int("status", s.outcome.status),
		slog.String("responseSize", strconv.FormatInt(s.response.n, 10)),
		slog.String("latency", strconv.FormatFloat(s.ended.Sub(s.start).Seconds(), 'f', 9, 64)+"s"), slog.String("protocol", r.Proto),
	}
	if s.client.IsValid() {
		request = append(request, slog.String("remoteIp", s.client.String()))
	}
	if agent := r.Header.Get("User-Agent"); agent != "" {
		request = append(request, slog.String("userAgent", agent))
	}
	record.AddAttrs(slog.Group("httpRequest", request...))
}
