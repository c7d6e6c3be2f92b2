package balancer

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net/url"

	"spangate/handler/config"
	"spangate/handler/wire"
)

// New returns the backends that cfg names, but for those that are looked up:
// see [Discoveries]. echo starts the demonstration backend of a name and returns
// its address; it is called for echo members only. Errors about the
// configuration name their variable.
func New(cfg Config, echo func(name string) (addr string, err error)) ([]*Backend, error) {
	trust, err := cfg.tls()
	if err != nil {
		return nil, config.Named(&cfg, err)
	}
	backends := make([]*Backend, 0, len(cfg.Backends))
	for _, member := range cfg.Backends {
		if member.Lookup != "" {
			continue // its backends are for a Discovery to find
		}
		b := newBackend(cfg, member, cmp.Or(member.Socket, member.Zoned), member.Weight, trust)
		if member.Scheme == "echo" {
			addr, err := echo(member.Echo)
			if err != nil {
				return nil, fmt.Errorf("starting %s: %w", member.Name, err)
			}
			b.URL = &url.URL{Scheme: "http", Host: addr}
		}
		backends = append(backends, b)
	}
	return backends, nil
}

// newBackend returns a backend of member. address, if not empty, is what to dial
// instead of its URL's authority.
func newBackend(cfg Config, member Member, address string, weight int, trust *tls.Config) *Backend {
	b := &Backend{
		Name: member.Name, URL: member.URL, Socket: member.Socket, Weight: weight,
		Host: cmp.Or(member.Host, cfg.Host),
	}
	if member.Socket == "" {
		b.Address = address
	}
	b.Transport = wire.NewTransport(cfg.TransportConfig, member.Scheme, address, trust, &b.Connections)
	unbounded := cfg.TransportConfig
	unbounded.MaxConnections = 0
	b.Probes = wire.NewTransport(unbounded, member.Scheme, address, trust, &wire.Connections{})
	return b
}
