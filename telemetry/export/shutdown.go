package export

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Shutdown flushes traces, then logs, then, last, metrics, so that the metrics
// tell what became of the spans. It returns when ctx ends at the latest; no
// signal may use up the time of the next one. While it runs, an unavailable
// collector gets two attempts for each batch, not the whole time.
//
// What was lost since New is logged in one line. The error says what could not
// be flushed. Only the first call does anything; the others return what it
// returned. Spans that end afterwards are dropped and counted.
func (s *SDK) Shutdown(ctx context.Context) error {
	s.once.Do(func() { s.err = s.shutdown(ctx) })
	return s.err
}

func (s *SDK) shutdown(ctx context.Context) error {
	close(s.leaving)
	var errs []error
	if s.spans != nil {
		errs = append(errs, within(ctx, 2, "traces", s.spans.shutdown))
	}
	if s.records != nil {
		errs = append(errs, within(ctx, 2, "logs", s.records.shutdown))
	}
	if s.meters != nil {
		errs = append(errs, within(ctx, 1, "metrics", s.meters.Shutdown))
	}
	// These close connections. An export that was given up could hold them
	// up, and ctx may have ended.
	ended, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cancel()
	_ = shutdownAll(ended, s.spanSinks)
	_ = shutdownAll(ended, s.recordSinks)
	s.tellLosses()
	return errors.Join(errs...)
}

// within runs flush with one part in so many of the time that is left.
func within(ctx context.Context, part time.Duration, signal string, flush func(context.Context) error) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/part)
		defer cancel()
	}
	if err := flush(ctx); err != nil {
		return fmt.Errorf("flushing %s: %w", signal, err)
	}
	return nil
}

func (s *SDK) tellLosses() {
	lost := s.lost()
	if lost == (losses{}) {
		return
	}
	var attrs []any
	if s.spans != nil {
		exported, failed, dropped := s.spans.account().sum()
		attrs = append(attrs, "spans_exported", exported, "spans_failed", failed, "spans_dropped", dropped)
	}
	if s.records != nil {
		exported, failed, dropped := s.records.account().sum()
		attrs = append(attrs, "log_records_exported", exported, "log_records_failed", failed, "log_records_dropped", dropped)
	}
	s.log.Warn("telemetry was lost", attrs...)
}
