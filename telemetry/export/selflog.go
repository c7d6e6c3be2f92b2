package export

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
)

// listen sends what the SDK says of itself to log instead of standard error.
// The SDK has one such place for the whole process: of several SDKs in it the
// last one made gets everything.
func listen(log *slog.Logger, level logLevel) {
	handler := selfHandler{log.Handler(), selfLevel(level)}
	otel.SetLogger(logr.FromSlogHandler(handler))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		// To be cancelled is how a collection of metrics ends at a shutdown.
		if !ofClients(err) && !errors.Is(err, context.Canceled) && slog.LevelError >= handler.least {
			log.Error("telemetry", "error", err.Error())
		}
	}))
}

// ofClients reports whether err is about baggage that cannot be read. Who sends
// it must not write to the log. The errors have no exported type: their text is
// all there is.
func ofClients(err error) bool {
	text := err.Error()
	return strings.Contains(text, "baggage") || strings.HasPrefix(text, "invalid key") || strings.HasPrefix(text, "invalid value")
}

func selfLevel(level logLevel) slog.Level {
	switch level {
	case "none":
		return slog.LevelError + 1
	case "error":
		return slog.LevelError
	case "info":
		return slog.LevelInfo
	case "debug":
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// selfHandler gives the verbosities of the SDK's logger their names: there a
// warning is 1, an information 4 and a detail 8, which arrive here negated.
type selfHandler struct {
	slog.Handler
	least slog.Level
}

func (h selfHandler) level(l slog.Level) slog.Level {
	switch {
	case l >= slog.LevelError:
		return slog.LevelError
	case l >= -1:
		return slog.LevelWarn
	case l >= -4:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

func (h selfHandler) Enabled(ctx context.Context, l slog.Level) bool {
	l = h.level(l)
	return l >= h.least && h.Handler.Enabled(ctx, l)
}

// Handle asks again: logr hands over errors without asking Enabled.
func (h selfHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = h.level(r.Level)
	if r.Level < h.least {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h selfHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return selfHandler{h.Handler.WithAttrs(attrs), h.least}
}

func (h selfHandler) WithGroup(name string) slog.Handler {
	return selfHandler{h.Handler.WithGroup(name), h.least}
}
