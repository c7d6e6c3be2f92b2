package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"spangate/handler/fault"
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

// AccessLog writes one line for each request. It is safe for concurrent use,
// and requests never wait for it: lines are formatted where they arise.
type AccessLog struct {
	to    *Lines
	form  lineForm
	forms sync.Pool // of *form
}

// form is a line and, as a slog handler has one writer, the handler that
// formats into it.
type form struct {
	line
	handler slog.Handler
}

// NewAccessLog returns a log in the format of cfg, or nil for LogOff.
func NewAccessLog(cfg Config, to *Lines) *AccessLog {
	if cfg.AccessLog != LogJSON && cfg.AccessLog != LogText {
		return nil
	}
	l := &AccessLog{to: to, form: cfg.lineForm()}
	l.forms.New = func() any {
		f := &form{}
		f.release = func() { l.forms.Put(f) }
		if options := l.form.options(slog.LevelInfo); l.form.text {
			f.handler = slog.NewTextHandler(f, options)
		} else {
			f.handler = slog.NewJSONHandler(f, options)
		}
		return f
	}
	return l
}

// level returns how grave it is how the request ended: an error when the backends
// or the proxy are at fault, also for a response that broke off, and a warning
// when the client asks too often, went away, or did not take its response.
func (s *served) level() slog.Level {
	failure := s.exchange.failure
	switch status := s.outcome.status; {
	case status == http.StatusTooManyRequests, status == fault.StatusClientClosedRequest,
		failure != nil && failure.Type == fault.ClientTimeout && s.outcome.spanError != "":
		return slog.LevelWarn
	case status >= http.StatusInternalServerError, s.outcome.spanError != "":
		return slog.LevelError
	}
	return slog.LevelInfo
}

func (l *AccessLog) write(ctx context.Context, s *served) {
	r, e := s.request, &s.exchange
	record := slog.NewRecord(s.start, s.level(), "request", 0)
	record.AddAttrs(
		slog.String("method", r.Method),
		slog.String("host", s.host),
		slog.String("path", r.URL.EscapedPath()),
	)
	if r.URL.RawQuery != "" {
		record.AddAttrs(slog.String("query", redactQuery(r.URL.RawQuery)))
	}
	record.AddAttrs(
		slog.String("protocol", r.Proto),
		slog.Int("status", s.outcome.status),
		slog.Float64("duration", s.ended.Sub(s.start).Seconds()),
	)
	if s.response.firstByte > 0 {
		record.AddAttrs(slog.Float64("time_to_first_byte", s.response.firstByte.Seconds()))
	}
	record.AddAttrs(
		slog.Int64("received", s.received),
		slog.Int64("sent", s.response.n),
	)
	if s.client.IsValid() {
		record.AddAttrs(slog.String("client", s.client.String()))
	}
	if agent := r.Header.Get("User-Agent"); agent != "" {
		record.AddAttrs(slog.String("user_agent", agent))
	}
	if e.attempts > 0 {
		record.AddAttrs(slog.String("backend", e.backend), slog.Int("attempts", e.attempts))
	}
	if e.rejection.Policy != "" {
		record.AddAttrs(slog.String("policy", e.rejection.Policy), slog.String("reason", e.rejection.Reason))
	}
	if e.queued {
		record.AddAttrs(slog.Float64("queued", e.queueWait.Seconds()))
	}
	if e.principal.Method != "" {
		record.AddAttrs(slog.String("principal", e.principal.Name), slog.String("auth", e.principal.Method))
	}
	if e.requestID != "" {
		record.AddAttrs(slog.String("request_id", e.requestID))
	}
	if s.outcome.errorType != "" {
		record.AddAttrs(slog.String("error_type", s.outcome.errorType))
	}
	if e.failure != nil && e.failure.Err != nil {
		record.AddAttrs(slog.String("error", e.failure.Err.Error()))
	}
	l.form.addRequest(&record, s)
	l.form.addTrace(ctx, &record)
	f := l.forms.Get().(*form)
	f.handler.Handle(ctx, record)
	l.to.push(&f.line)
}
