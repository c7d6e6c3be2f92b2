package setup

import (
	"errors"
	"log/slog"
	"sync"
	"time"
)

// outage tells that telemetry does not get out: at once, and from then on no
// more than once a minute for all signals together. Safe for concurrent use.
type outage struct {
	log  *slog.Logger
	lost func() losses

	mu   sync.Mutex
	next time.Time
	told losses
}

// losses are how many of each signal were never delivered.
type losses struct{ spans, records int64 }

const quiet = time.Minute

var errOverflow = errors.New("the queue overflowed: more is recorded than the collector takes")

// failed tells of an attempt to export that failed.
func (o *outage) failed(t target, err error) { o.tell(t, err, o.lost()) }

// delivered tells of what was lost meanwhile, though the collector answers.
func (o *outage) delivered(t target) {
	lost := o.lost()
	o.mu.Lock()
	more := lost != o.told
	o.mu.Unlock()
	if more {
		o.tell(t, errOverflow, lost)
	}
}

func (o *outage) tell(t target, err error, lost losses) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Before(o.next) {
		return
	}
	o.next = now.Add(quiet)
	o.log.Warn("telemetry is not delivered",
		"signal", t.signal,
		"endpoint", t.url,
		"error", err.Error(),
		"spans_lost", lost.spans-o.told.spans,
		"log_records_lost", lost.records-o.told.records)
	o.told = lost
}
