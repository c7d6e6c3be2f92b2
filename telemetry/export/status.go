package export

import "time"

// Status is how the delivery of one signal does.
type Status struct {
	Signal   string `json:"signal"`             // traces, logs or metrics
	Endpoint string `json:"endpoint,omitempty"` // of the collector; none of the console

	*Items // of spans and log records; nil for metrics, which are not queued

	Delivered    *time.Time `json:"last_delivered,omitempty"` // to the collector
	FailingSince *time.Time `json:"failing_since,omitempty"`
	Error        string     `json:"error,omitempty"` // of the last attempt, while it fails
}

// Items are how many wait or are being sent, how many may wait, and what became of the
// others.
type Items struct {
	Queued   int   `json:"queued"`
	Capacity int   `json:"capacity"`
	Exported int64 `json:"exported"`
	Failed   int64 `json:"failed"`
	Dropped  int64 `json:"dropped"`
}

// Status returns the status of each signal that is exported. It is safe for
// concurrent use.
func (p *Pipelines) Status() []Status {
	var all []Status
	if p.spans != nil {
		all = append(all, p.outage.status(p.traces, p.spans.account().items()))
	}
	if p.records != nil {
		all = append(all, p.outage.status(p.logs, p.records.account().items()))
	}
	if p.meters != nil {
		all = append(all, p.outage.status(p.metrics, nil))
	}
	return all
}

func (a account) items() *Items {
	i := &Items{Queued: a.queued + a.taken, Capacity: a.capacity}
	i.Exported, i.Failed, i.Dropped = a.sum()
	return i
}

func (o *outage) status(t target, items *Items) Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := Status{Signal: t.signal, Endpoint: t.url, Items: items}
	state := o.states[t.signal]
	if !state.delivered.IsZero() {
		s.Delivered = &state.delivered
	}
	if state.err != "" {
		s.FailingSince, s.Error = &state.since, state.err
	}
	return s
}
