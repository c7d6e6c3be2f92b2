package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"spangate/handler"
	"spangate/telemetry/export"
	"spangate/telemetry/logline"
)

// Process is what only the program knows of itself.
type Process = export.Process

// delivery is where what is recorded goes.
type delivery struct {
	pipelines *export.Pipelines
	schedule  export.Schedule
	lines     *logline.Lines
	stdout    *slog.Logger // of which the exporters see nothing
}

// Destinations says, for each signal, where it goes.
func (t *Telemetry) Destinations() []slog.Attr { return t.delivery.pipelines.Destinations() }

// Status returns how the delivery of each signal that is exported does.
func (t *Telemetry) Status() []export.Status { return t.delivery.pipelines.Status() }

// Scrapes returns what answers those who come for metrics, or nil where nobody is to.
func (t *Telemetry) Scrapes() http.Handler { return t.delivery.pipelines.Scrapes }

// InRequests returns what has telemetry exported while requests are in flight,
// which belongs around all else, or nil where a timer will do.
func (t *Telemetry) InRequests() func(http.Handler) http.Handler {
	if t.delivery.schedule.When != export.InRequests {
		return nil
	}
	return handler.ExportInRequests(t.delivery.pipelines.ExportNow, t.delivery.schedule.Budget)
}

// Flush ends what New started, once all else has ended: it delivers what was
// recorded, and then writes the lines of the log that wait, for which a fifth of the
// time is kept. The last line tells why the program stopped, too late for the
// collector; a nil cause tells nothing, as there is an error that does.
func (t *Telemetry) Flush(within time.Duration, cause error) {
	d := t.delivery
	if dropped := d.lines.Dropped(); dropped > 0 {
		t.Log.Warn("the log was read too slowly", "lines_dropped", dropped)
	}
	end := time.Now().Add(within)
	ctx, cancel := context.WithDeadline(context.Background(), end.Add(-within/5))
	defer cancel()
	if err := d.pipelines.Shutdown(ctx); err != nil {
		d.stdout.Warn("telemetry could not be flushed", "error", err.Error())
	}
	if cause != nil {
		d.stdout.Info("stopped", "cause", cause.Error())
	}
	d.lines.Close(time.Until(end))
}
