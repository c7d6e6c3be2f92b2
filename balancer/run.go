package balancer

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"spangate/balancer/echo"
	"spangate/probe"
)

// Run probes the members, looks up those that stand for a name, and serves the
// demonstration backends, until ctx is done. It returns when all of that has
// ended. It is called once.
func (p *Pool) Run(ctx context.Context) error {
	var group errgroup.Group
	for _, e := range p.echoes {
		group.Go(func() error { return echo.Serve(ctx, e.listener, e.name) })
	}
	watch := func(ctx context.Context, b *Backend) {
		group.Go(func() error {
			b.watcher.Run(ctx) // returns why ctx ended
			return nil
		})
	}
	for _, b := range p.Members() {
		watch(ctx, b)
	}
	for _, d := range p.discoveries {
		group.Go(func() error {
			p.discover(ctx, d, watch)
			return nil
		})
	}
	return group.Wait()
}

// discover makes what d finds members, each watched while it is one.
func (p *Pool) discover(ctx context.Context, d *discovery, watch func(context.Context, *Backend)) {
	watched := map[*Backend]context.CancelFunc{}
	d.run(ctx, func(found Discovered) {
		p.change(found.Joined, found.Left)
		for _, b := range found.Joined {
			ctx, cancel := context.WithCancel(ctx)
			watched[b] = cancel
			watch(ctx, b)
		}
		for _, b := range found.Left {
			watched[b]()
			delete(watched, b)
		}
		p.lookedUp.Store(true)
		p.hooks.failed(found.Err)
		if p.hooks.Discovered != nil {
			p.hooks.Discovered(found)
		}
	})
	for _, cancel := range watched {
		cancel()
	}
}

var (
	errNoneKnown    = errors.New("no backend is known yet")
	errNoneAnswered = errors.New("no backend has answered yet")
)

// Started returns nil once a backend has answered, and from then on; where none
// is probed, which would wait for nothing but requests, once one is known. Until
// then its error says what is waited for.
func (p *Pool) Started() error {
	members := p.Members()
	switch {
	case p.probes.Mode != probe.ModeOff:
		if !slices.ContainsFunc(members, func(b *Backend) bool { return b.health.answered.Load() }) {
			return errNoneAnswered
		}
	case len(members) == 0:
		return errNoneKnown
	}
	return nil
}

// Failed reports whether it is known that no backend can be used: that there is none to
// be found, or that all are down.
func (p *Pool) Failed() bool {
	members := p.Members()
	if len(members) == 0 {
		return p.lookedUp.Load()
	}
	return !slices.ContainsFunc(members, func(b *Backend) bool { return b.State() != Down })
}

// OnDemand returns next as what also probes where timers cannot: see
// [probe.OnDemand]. In other modes than [probe.ModeOnDemand] that is next itself.
func (p *Pool) OnDemand(next http.Handler) http.Handler {
	if p.probes.Mode != probe.ModeOnDemand {
		return next
	}
	return probe.OnDemand(func() []*probe.Watcher { return *p.watchers.Load() })(next)
}
