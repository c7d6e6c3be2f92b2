package route

import (
	"fmt"
	"slices"

	"spangate/handler/admin"
	"spangate/policy"
)

// Snapshot returns how the routes do, for the status.
func (t *Table) Snapshot() admin.Snapshot {
	r := t.rest
	return admin.Snapshot{Backends: r.backends(), RateLimit: r.limit.snapshot(), Concurrency: r.atOnce()}
}

func (r *Route) backends() (all []admin.Backend) {
	ready := r.pool.Ready()
	for _, b := range r.pool.Members() {
		all = append(all, admin.Backend{Name: b.Name, Address: b.Address, State: b.State(), Serves: slices.Contains(ready, b), Active: b.Active(), Certificate: b.Certificate()})
	}
	return all
}

func (l *rateLimit) snapshot() *admin.RateLimit {
	switch {
	case l == nil:
		return nil
	case l.store == nil:
		return &admin.RateLimit{Keys: l.keys(), Store: policy.StoreMemory}
	}
	s := &admin.RateLimit{Keys: l.keys(), Store: l.store.Decides(), Instances: l.store.Instances()}
	if since, why, degraded := l.store.Degraded(); degraded {
		s.Since, s.Why = &since, fmt.Sprintf("%.500s", why)
	}
	return s
}

func (r *Route) atOnce() *admin.Concurrency {
	if r.concurrency == nil {
		return nil
	}
	return &admin.Concurrency{Active: r.concurrency.Active(), Queued: r.concurrency.Queued()}
}
