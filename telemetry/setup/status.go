package setup

import "time"

// Status is how the delivery of one signal does.
type Status struct {
	Signal   string `json:"signal"`             // traces, logs or metrics
	Endpoint string `json:"endpoint,omitempty"` // of the collector; none of the console

	// Of spans and log records: how many wait, how many may, and what became of
	// the others.
	Queued   int   `json:"queued"`
	Capacity int   `json:"capacity,omitempty"`
	Exported int64 `json:"exported"`
	Failed   int64 `json:"failed"`
	Dropped  int64 `json:"dropped"`

	Delivered    *time.Time `json:"last_delivered,omitempty"` // to the collector
	FailingSince *time.Time `json:"failing_since,omitempty"`
	Error        string     `json:"error,omitempty"` // of the last attempt, while it fails
}

// Status returns the status of each signal that is exported. It is safe for
// concurrent use.
func (s *SDK) Status() []Status {
	var all []Status
	if s.spans != nil {
		all = append(all, s.outage.status(s.traces, s.spans.account().status()))
	}
	if s.records != nil {
		all = append(all, s.outage.status(s.logs, s.records.account().status()))
	}
	if s.meters != nil {
		all = append(all, s.outage.status(s.metrics, Status{}))
	}
	return all
}

func (a account) status() Status {
	s := Status{Queued: a.queued, Capacity: a.capacity}
	s.Exported, s.Failed, s.Dropped = a.sum()
	return s
}

func (o *outage) status(t target, s Status) Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.Signal, s.Endpoint = t.signal, t.url
	state := o.states[t.signal]
	if !state.delivered.IsZero() {
		s.Delivered = &state.delivered
	}
	if state.err != "" {
		s.FailingSince, s.Error = &state.since, state.err
	}
	return s
}
