package balancer

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"

	"spangate/balancer/identity"
	"spangate/handler"
	"spangate/handler/wire"
	"spangate/probe"
)

// New returns a pool of the backends that cfg names, which are probed as probes
// says. Those that are looked up join it while it runs. Nothing is started before
// [Pool.Run]; only the demonstration backends listen already. Errors about the
// configuration name their variable.
func New(cfg Config, probes probe.Config, hooks Hooks) (*Pool, error) {
	key := cfg.HashKey.of(func(r *http.Request) string { return handler.ClientOf(r).Addr.String() })
	p := &Pool{
		cfg: cfg, probes: probes, hooks: hooks, identities: cmp.Or(hooks.Identities, &identity.Sources{}),
		sticky: newSticky(cfg.StickyCookie, cfg.Algorithm.picker(key)), next: cfg.Algorithm.next(key),
	}
	if err := p.readFiles(); err != nil {
		return nil, err
	}
	var members []*Backend
	for _, m := range cfg.Backends {
		if m.lookup != "" {
			p.discoveries = append(p.discoveries, newDiscovery(p, m, net.DefaultResolver))
			continue
		}
		if m.scheme == "echo" {
			var err error
			if m, err = p.listen(m); err != nil {
				return nil, err
			}
		}
		members = append(members, p.newBackend(m, cmp.Or(m.socket, m.zoned), m.Weight))
	}
	p.change(members, nil)
	return p, nil
}

// IsOf reports whether p is what [New] returns for cfg and probes: then another pool would
// ask the same backends the same.
func (p *Pool) IsOf(cfg *Config, probes *probe.Config) bool {
	alike := func(a, b Member) bool { return a.Name == b.Name } // what differs is mostly these, and to compare all takes long
	return slices.EqualFunc(p.cfg.Backends, cfg.Backends, alike) && reflect.DeepEqual(p.cfg, *cfg) && reflect.DeepEqual(p.probes, *probes)
}

// echoBackend is a demonstration backend of this process.
type echoBackend struct {
	name     string
	listener net.Listener
}

// listen returns m, a demonstration backend, as one that is reached where it
// listens now.
func (p *Pool) listen(m Member) (Member, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		for _, e := range p.echoes {
			e.listener.Close()
		}
		return Member{}, fmt.Errorf("starting %s: %w", m.Name, err)
	}
	p.echoes = append(p.echoes, echoBackend{m.echo, ln})
	m.url = &url.URL{Scheme: "http", Host: ln.Addr().String()}
	return m, nil
}

// newBackend returns a backend of m that is not a member yet. address, if not
// empty, is what to dial instead of its URL's authority.
func (p *Pool) newBackend(m Member, address string, weight int) *Backend {
	b := &Backend{Name: m.Name, URL: m.url, Service: m.service, Weight: weight, host: cmp.Or(m.host, p.cfg.Host), unverified: m.tls.verify == verifyOff}
	if m.socket == "" {
		b.Address = address
	}
	var told wire.ConnectionHooks
	if p.hooks.Connections != nil {
		told = p.hooks.Connections(b)
	}
	told.Handshake = b.shaken
	b.connections = wire.NewTransport(p.cfg.TransportConfig, m.scheme, address, p.handshakes(m, true), told)
	if m.proxy != 0 {
		b.connections.Announcing(m.proxy, whose)
	}
	b.signer = p.signer(m)
	probing, connect := p.probing(b, m, address)
	p.adopt(b, b.connections, probing, address, connect)
	return b
}

// probing returns what sends the probes of b, a backend of m, and what connects for one
// that only does that; nil where it takes a connection of TCP and no more.
func (p *Pool) probing(b *Backend, m Member, address string) (http.RoundTripper, probe.Check) {
	if p.probes.Kind() == probe.TypeTCP && m.scheme != "https" && m.proxy == 0 {
		return nil, nil
	}
	cfg := wire.TransportConfig{ // without a limit: a busy backend's would keep probes waiting
		ConnectTimeout: p.cfg.ConnectTimeout, ResponseTimeout: p.cfg.ResponseTimeout, IdleTimeout: p.cfg.IdleTimeout,
	}
	// Nor with a session resumed, which would say nothing of the certificate.
	t := wire.NewTransport(cfg, m.scheme, address, p.handshakes(m, false), wire.ConnectionHooks{Handshake: b.shaken})
	switch {
	case m.proxy != 0:
		return t, t.Announcing(m.proxy, nil).Connect
	case m.scheme == "https":
		return t, t.Connect
	}
	return t, nil
}

// adopt makes b one of p's: transport sends its attempts, probing its probes, over
// connections that traffic does not share, nil where they only connect. That they do to
// address, or by connect where that is not nil.
func (p *Pool) adopt(b *Backend, transport, probing http.RoundTripper, address string, connect probe.Check) {
	b.pool, b.health.backend = p, b
	b.health.outlier = newOutlier(p.cfg.Outlier, b.health.eject)
	if decorate := p.hooks.Attempt; decorate != nil {
		transport = decorate(b, func() int { return len(p.Ready()) }, transport)
	}
	b.transport = transport
	if probing != nil {
		if decorate := p.hooks.ProbeRequest; decorate != nil {
			probing = decorate(probing)
		}
		probing = b.signer.Over(probing)
	}
	check := p.probes.Check(probing, "", address, connect)
	if decorate := p.hooks.Probe; decorate != nil {
		check = decorate(b, p.probes.Kind(), check)
	}
	b.watcher = probe.NewWatcher(p.probes, b.URL, func(ctx context.Context, u *url.URL) error {
		err := check(ctx, u)
		p.hooks.failed(err)
		return err
	}, b.health.probed)
}
