package export

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Shutdown delivers traces, then logs, then, last, metrics, so that the metrics
// tell what became of the spans. It returns when ctx ends at the latest; no
// signal may use up the time of the next one. While it runs, an unavailable
// collector gets two attempts for each batch, not the whole time.
//
// What was lost since New is logged in one line. The error says what could not
// be flushed. Only the first call does anything; the others return what it
// returned. Spans that end afterwards are dropped and counted.
func (p *Pipelines) Shutdown(ctx context.Context) error {
	p.once.Do(func() { p.err = p.shutdown(ctx) })
	return p.err
}

func (p *Pipelines) shutdown(ctx context.Context) error {
	close(p.leaving)
	var errs []error
	if p.spans != nil {
		errs = append(errs, within(ctx, 2, "traces", p.spans.shutdown))
	}
	if p.records != nil {
		errs = append(errs, within(ctx, 2, "logs", p.records.shutdown))
	}
	if p.meters != nil {
		errs = append(errs, within(ctx, 1, "metrics", p.shutdownMetrics))
	}
	if p.trees != nil {
		_ = p.trees.Shutdown() // what standard output does not take is nobody's loss
	}
	p.tellLosses()
	return errors.Join(errs...)
}

// shutdownMetrics makes the last exports, the collector's last, and ends what is left of
// scrapes.
func (p *Pipelines) shutdownMetrics(ctx context.Context) error {
	var errs []error
	for _, periodic := range p.periodics {
		errs = append(errs, periodic.shutdown(ctx))
	}
	return errors.Join(append(errs, p.meters.Shutdown(ctx))...)
}

// within runs shutdown with one part in so many of the time that is left.
func within(ctx context.Context, part time.Duration, signal string, shutdown func(context.Context) error) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/part)
		defer cancel()
	}
	if err := shutdown(ctx); err != nil {
		return fmt.Errorf("flushing %s: %w", signal, err)
	}
	return nil
}

func (p *Pipelines) tellLosses() {
	lost := p.lost()
	if lost == (losses{}) {
		return
	}
	var attrs []any
	if p.spans != nil {
		exported, failed, dropped := p.spans.account().sum()
		attrs = append(attrs, "spans_exported", exported, "spans_failed", failed, "spans_dropped", dropped)
	}
	if p.records != nil {
		exported, failed, dropped := p.records.account().sum()
		attrs = append(attrs, "log_records_exported", exported, "log_records_failed", failed, "log_records_dropped", dropped)
	}
	p.log.Warn("telemetry was lost", attrs...)
}
