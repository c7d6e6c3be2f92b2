package export

import (
	"context"
	"time"

	"spangate/handler/config"
)

// Schedule says when spans and log records are exported that have waited for
// their batch to fill.
type Schedule struct {
	When   When          `env:"TELEMETRY_FLUSH" envDefault:"auto" auto:"timer" doc:"when spans and log records are exported: timer, by OTEL_BSP_SCHEDULE_DELAY and OTEL_BLRP_SCHEDULE_DELAY, or request, also while requests are in flight, for platforms that stop the CPU between them; auto is the platform's, else timer"`
	Budget time.Duration `env:"TELEMETRY_FLUSH_BUDGET" envDefault:"20ms" min:"1ms" max:"1m" needs:"TELEMETRY_FLUSH=request" doc:"longest that a request is held for it, once its client has every byte of the answer"`
}

// When is one of the occasions below.
type When string

// The occasions. The zero value counts as ByTimer.
const (
	ByTimer    When = "timer"
	InRequests When = "request" // and by timer
)

// UnmarshalText accepts the name of an occasion, and auto for that of no platform.
func (w *When) UnmarshalText(text []byte) error {
	err := config.OneOf(w, text, "auto", ByTimer, InRequests)
	if *w == "auto" {
		*w = ByTimer
	}
	return err
}

// ExportNow begins to deliver the spans and log records that wait, whatever the
// timers say, and returns a function that waits until the collector has them,
// answered or not, will not get them, or ctx is done; nil when there are none.
// It never blocks.
func (p *Pipelines) ExportNow() (wait func(ctx context.Context)) {
	var all []<-chan struct{}
	if p.spans != nil {
		if hurry := p.spans.exportNow(); hurry != nil {
			all = append(all, hurry.sent)
		}
	}
	if p.records != nil {
		if hurry := p.records.exportNow(); hurry != nil {
			all = append(all, hurry.sent)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return func(ctx context.Context) {
		for _, sent := range all {
			select {
			case <-sent:
			case <-ctx.Done():
				return
			}
		}
	}
}
