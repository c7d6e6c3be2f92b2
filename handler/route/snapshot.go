package route

import (
	"fmt"
	"slices"

	"spangate/handler/admin"
	"spangate/policy"
)

// Snapshot returns how the routes do, for the status.
func (t *Table) Snapshot() (s admin.Snapshot) {
	for _, pool := range t.parts.pools {
		s.Backends = append(s.Backends, backends(pool)...)
	}
	if t.rules == nil {
		only := t.routes[0]
		s.RateLimit, s.Concurrency = only.limit.snapshot(), only.atOnce()
		return s
	}
	for _, r := range t.routes {
		s.Routes = append(s.Routes, r.snapshot())
	}
	return s
}

func backends(pool *pool) (all []admin.Backend) {
	ready := pool.Ready()
	for _, b := range pool.Members() {
		s := admin.Backend{Name: b.Name, Address: b.Address, Routes: pool.routes, State: b.State(), Serves: slices.Contains(ready, b), Active: b.Active(), Certificate: b.Certificate()}
		if why := b.WithoutToken(); why != nil {
			s.WithoutToken = why.Error()
		}
		all = append(all, s)
	}
	return all
}

func (r *Route) snapshot() admin.Route {
	s := admin.Route{Name: r.name, RateLimit: r.limit.snapshot(), Concurrency: r.atOnce()}
	for _, p := range r.patterns {
		s.Match = append(s.Match, p.String())
	}
	if r.pool != nil {
		for _, b := range r.pool.Members() {
			s.Backends = append(s.Backends, b.Name)
		}
	}
	r.beside.snapshot(&s)
	return s
}

func (b *beside) snapshot(s *admin.Route) {
	if b.canary != nil {
		c := b.canary.Status()
		s.Canary = &admin.Canary{Backends: c.Backends, State: c.State, Share: c.Share, Since: c.Since, Why: c.Reason}
	}
	if b.mirror != nil {
		m := admin.Mirror(b.mirror.Status())
		s.Mirror = &m
	}
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
