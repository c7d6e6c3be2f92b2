package export

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func testDelivery(lines *bytes.Buffer, lost func() losses) delivery {
	return delivery{
		target:  target{signal: "traces", url: "http://collector:4318/v1/traces", timeout: 10 * time.Second},
		leaving: make(chan struct{}),
		outage:  &outage{log: slog.New(slog.NewTextHandler(lines, nil)), lost: lost},
	}
}

func nothingLost() losses { return losses{} }

func TestDeliveryRepeats(t *testing.T) {
	refused := &unavailable{err: errors.New("refused")}
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	fail := func(err error) func(context.Context) error { return func(context.Context) error { return err } }

	for _, tt := range []struct {
		name         string
		attempt      func(context.Context) error // the last one of many; those before it are told by failures
		failures     []func(context.Context) error
		atLeast      time.Duration
		atMost       time.Duration
		wantAttempts int
		wantErr      string
	}{
		{"success", fail(nil), nil, 0, 0, 1, ""},
		{"refused twice", fail(nil), []func(context.Context) error{fail(refused), fail(refused)}, 750 * time.Millisecond, 1500 * time.Millisecond, 3, ""},
		{"asked to wait", fail(nil), []func(context.Context) error{fail(&unavailable{err: errors.New("busy"), after: 7 * time.Second})}, 7 * time.Second, 7 * time.Second, 2, ""},
		{"attempt too slow", fail(nil), []func(context.Context) error{hang}, 10 * time.Second, 11 * time.Second, 2, ""},
		{"wrong for good", fail(errors.New("401")), nil, 0, 0, 1, "401"},
		{"never there", fail(refused), nil, 30 * time.Second, 30 * time.Second, -1, "context deadline exceeded, after refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				began, attempts := time.Now(), 0
				err := testDelivery(new(bytes.Buffer), nothingLost).do(ctx, func(ctx context.Context) error {
					attempts++
					if attempts <= len(tt.failures) {
						return tt.failures[attempts-1](ctx)
					}
					return tt.attempt(ctx)
				})
				if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error %v, want %q", err, tt.wantErr)
				}
				if attempts != tt.wantAttempts && tt.wantAttempts > 0 {
					t.Errorf("%d attempts, want %d", attempts, tt.wantAttempts)
				}
				if took := time.Since(began); took < tt.atLeast || took > tt.atMost {
					t.Errorf("took %v, want %v to %v", took, tt.atLeast, tt.atMost)
				}
			})
		})
	}
}

func TestDeliveryIsBriefWhenLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leaving := make(chan struct{})
		d := testDelivery(new(bytes.Buffer), nothingLost)
		d.leaving = leaving
		attempts := 0
		refused := func(context.Context) error {
			attempts++
			return &unavailable{err: errors.New("refused"), after: time.Hour}
		}
		result := make(chan error)
		go func() { result <- d.do(t.Context(), refused) }()
		synctest.Wait() // it waits after its first attempt

		began := time.Now()
		close(leaving)
		if err := <-result; err == nil {
			t.Error("no error")
		}
		if err := d.do(t.Context(), refused); err == nil {
			t.Error("no error")
		}
		if took := time.Since(began); took != 2*lastWait {
			t.Errorf("took %v, want %v", took, 2*lastWait)
		}
		if attempts != 5 {
			t.Errorf("%d attempts, want one before, two on leaving, two of the next export", attempts)
		}
	})
}

func TestOutageIsToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		var lost losses
		d := testDelivery(&lines, func() losses { return lost })
		logs := target{signal: "logs", url: "http://collector:4318/v1/logs"}
		down := errors.New("connection refused")

		d.outage.failed(d.target, down)
		for range 59 {
			time.Sleep(time.Second)
			lost.spans.all += 10
			lost.records.all++
			d.outage.failed(d.target, down)
			d.outage.failed(logs, down)
		}
		time.Sleep(time.Second)
		d.outage.failed(logs, down)
		time.Sleep(time.Hour)
		d.outage.delivered(d.target)
		d.outage.delivered(d.target) // nothing more to tell
		lost.spans.all++             // refused: that was told when it was
		d.outage.delivered(d.target)
		lost.spans = loss{lost.spans.all + 1, 1}
		d.outage.delivered(d.target)
		time.Sleep(quiet)
		lost.spans.all++
		d.outage.refused(d.target, errors.New("not these"))
		time.Sleep(quiet)
		d.outage.failed(d.target, down)
		lost.spans = loss{lost.spans.all + 5, 6}
		d.outage.delivered(d.target)
		time.Sleep(quiet)
		d.outage.delivered(d.target) // all was said

		want := []string{
			`signal=traces endpoint=http://collector:4318/v1/traces error="connection refused"`,
			`signal=logs endpoint=http://collector:4318/v1/logs error="connection refused" spans_lost=590 log_records_lost=59`,
			`msg="telemetry is delivered again" signal=traces endpoint=http://collector:4318/v1/traces after=1h1m0s`,
			`signal=traces endpoint=http://collector:4318/v1/traces error="more was recorded than was delivered in time, and there was no room for the rest" spans_lost=2`,
			`msg="telemetry was refused" signal=traces endpoint=http://collector:4318/v1/traces error="not these" spans_lost=1`,
			`msg="telemetry is not delivered" signal=traces endpoint=http://collector:4318/v1/traces error="connection refused"`,
			`msg="telemetry is delivered again" signal=traces endpoint=http://collector:4318/v1/traces after=0s spans_lost=5`,
		}
		got := strings.Split(strings.TrimSpace(lines.String()), "\n")
		if len(got) != len(want) {
			t.Fatalf("%d lines, want %d:\n%s", len(got), len(want), &lines)
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("line %d is\n%s\nwant\n%s", i, got[i], want[i])
			}
		}
	})
}
