package setup

import (
	"errors"
	"log/slog"
	"sync"
	"time"
)

// outage tells that telemetry does not get out: at once, and from then on no
// more than once a minute for all signals together; and that it does again. Safe
// for concurrent use.
type outage struct {
	log  *slog.Logger
	lost func() losses

	mu     sync.Mutex
	next   time.Time
	told   losses
	states map[string]deliveryState // by signal
}

// deliveryState is how the last attempts for a signal went.
type deliveryState struct {
	delivered time.Time // the last that succeeded
	since     time.Time // the first of those that failed since
	err       string    // of the last of them; empty: it succeeded
	told      bool      // that it fails
}

// losses are those of spans and of log records.
type losses struct{ spans, records loss }

// loss is how many of a signal were never delivered, and how many of these
// because there was no room for them.
type loss struct{ all, overflow int64 }

func (l losses) of(signal string) loss {
	return map[string]loss{"traces": l.spans, "logs": l.records}[signal]
}

const quiet = time.Minute

var errOverflow = errors.New("more is recorded than is delivered in time: there is no room for the rest")

// failed tells of an attempt to export that failed.
func (o *outage) failed(t target, err error) {
	lost := o.lost()
	o.mu.Lock()
	defer o.mu.Unlock()
	state := o.states[t.signal]
	if state.err == "" {
		state.since = time.Now()
	}
	state.err = err.Error()
	state.told = o.tell(t, err, lost) || state.told
	o.note(t, state)
}

// delivered tells of what there was no room for, though the collector answers.
func (o *outage) delivered(t target) {
	lost := o.lost()
	o.mu.Lock()
	defer o.mu.Unlock()
	if lost.of(t.signal).overflow != o.told.of(t.signal).overflow {
		o.tell(t, errOverflow, lost)
	}
	if state := o.states[t.signal]; state.told {
		o.log.Info("telemetry is delivered again", "signal", t.signal, "endpoint", t.url,
			"after", time.Since(state.since).Round(time.Millisecond).String())
	}
	o.note(t, deliveryState{delivered: time.Now()})
}

// note replaces what is known of a signal. The caller holds mu.
func (o *outage) note(t target, state deliveryState) {
	if o.states == nil {
		o.states = map[string]deliveryState{}
	}
	o.states[t.signal] = state
}

// tell writes the line unless it was written a short while ago, and reports
// whether it did. The caller holds mu.
func (o *outage) tell(t target, err error, lost losses) bool {
	now := time.Now()
	if now.Before(o.next) {
		return false
	}
	o.next = now.Add(quiet)
	attrs := []any{"signal", t.signal, "endpoint", t.url, "error", err.Error()}
	if n := lost.spans.all - o.told.spans.all; n > 0 {
		attrs = append(attrs, "spans_lost", n)
	}
	if n := lost.records.all - o.told.records.all; n > 0 {
		attrs = append(attrs, "log_records_lost", n)
	}
	o.log.Warn("telemetry is not delivered", attrs...)
	o.told = lost
	return true
}
