package export

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

var errOverflow = errors.New("more was recorded than was delivered in time, and there was no room for the rest")

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
	state.told = o.tell("telemetry is not delivered", t, err, lost) || state.told
	o.note(t, state)
}

// refused tells of an export of which the collector took a part.
func (o *outage) refused(t target, err error) {
	lost := o.lost()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tell("telemetry was refused", t, err, lost)
}

// delivered tells that it is again, if it was told that it was not, and else of
// what there was no room for.
func (o *outage) delivered(t target) {
	lost := o.lost()
	o.mu.Lock()
	defer o.mu.Unlock()
	state := o.states[t.signal]
	switch {
	case state.told:
		attrs := []any{"signal", t.signal, "endpoint", t.url, "after", time.Since(state.since).Round(time.Millisecond).String()}
		o.log.Info("telemetry is delivered again", append(attrs, o.news(lost)...)...)
	case lost.of(t.signal).overflow != o.told.of(t.signal).overflow:
		o.tell("telemetry was dropped", t, errOverflow, lost)
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

// tell writes a line unless one was written a short while ago, and reports
// whether it did. The caller holds mu.
func (o *outage) tell(message string, t target, err error, lost losses) bool {
	now := time.Now()
	if now.Before(o.next) {
		return false
	}
	o.next = now.Add(quiet)
	attrs := []any{"signal", t.signal, "endpoint", t.url, "error", err.Error()}
	o.log.Warn(message, append(attrs, o.news(lost)...)...)
	return true
}

// news returns what was lost since a line last said so, for the next one. The
// caller holds mu.
func (o *outage) news(lost losses) (attrs []any) {
	if n := lost.spans.all - o.told.spans.all; n > 0 {
		attrs = append(attrs, "spans_lost", n)
	}
	if n := lost.records.all - o.told.records.all; n > 0 {
		attrs = append(attrs, "log_records_lost", n)
	}
	o.told = lost
	return attrs
}
