package balancer

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/sethvargo/go-retry"

	"spangate/handler/clock"
	"spangate/handler/fault"
)

const (
	// maxFound bounds how many backends one name can lead to, whatever DNS says.
	maxFound = 256
	// firstLookupWait is how long after a lookup in vain a name that has never led
	// anywhere is tried again. It grows up to the refresh interval.
	firstLookupWait = 250 * time.Millisecond
	// minLookup and maxLookup bound the time for an answer, which is the refresh
	// interval between them.
	minLookup, maxLookup = time.Second, 10 * time.Second
	// defaultRefresh is what a zero Config.DNSRefresh means.
	defaultRefresh = 10 * time.Second
	// refreshJitter, in percent, keeps many proxies from asking in step.
	refreshJitter = 10
)

// resolver looks names up. *[net.Resolver] is one.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
}

// discovery finds the backends of one member by looking its name up, over and
// over.
//
// A backend is one address, or one target and port of an SRV record: while DNS
// goes on naming it with the same weight it is the same *Backend, with its
// state, connections and counts. All of them have the member's name, so that
// metrics do not grow with the addresses that a name has had; [Backend.Address]
// tells them apart.
type discovery struct {
	member   Member
	refresh  time.Duration
	resolver resolver
	backend  func(endpoint) *Backend

	endpoints []endpoint // of the latest lookup that found some
	found     map[endpoint]*Backend
	known     []netip.Addr // the last answer
	leaving   []*Backend
}

// Discovered is what a lookup has changed.
type Discovered struct {
	Name     string     // of the member, as configured
	Backends []*Backend // all that it stands for now, by address
	Joined   []*Backend // those among them that are new
	Left     []*Backend // those that are to be drained
	// Err is why the last lookup is of no use, or of less use than it should be;
	// what is not known to have left has stayed. It is told when that begins and,
	// by nil, when it ends, not at each lookup.
	Err error
}

// newDiscovery returns a discovery of the backends that m, which is looked up,
// stands for in p.
func newDiscovery(p *Pool, m Member, resolver resolver) *discovery {
	return &discovery{
		member: m, refresh: cmp.Or(p.cfg.DNSRefresh, defaultRefresh), resolver: resolver,
		backend: func(e endpoint) *Backend { return p.newBackend(m, e.address, e.weight) },
	}
}

// run looks the name up at once and then at each refresh interval until ctx is
// done, and tells update of what has changed: nothing, mostly. It waits for
// update, which may change the backends that joined before it lets them serve.
// A lookup that fails or finds nothing changes nothing.
func (d *discovery) run(ctx context.Context, update func(Discovered)) {
	again := retry.WithJitterPercent(refreshJitter, retry.NewConstant(d.refresh))
	soon := retry.WithJitterPercent(refreshJitter, retry.WithCappedDuration(d.refresh, retry.NewFibonacci(firstLookupWait)))
	type fortune struct{ found, whole bool }
	last := fortune{true, true}
	for {
		endpoints, err := d.lookUp(ctx)
		if ctx.Err() != nil {
			return
		}
		change := d.adopt(endpoints, err)
		now := fortune{len(endpoints) > 0, change.Err == nil}
		if len(change.Joined) > 0 || len(change.Left) > 0 || now != last {
			update(change)
		}
		last = now
		d.closeIdle()
		next := again
		if len(d.found) == 0 {
			next = soon
		}
		wait, _ := next.Next()
		if clock.Sleep(ctx, wait) != nil {
			return
		}
	}
}

// lookUp asks DNS once. What it returns beside an error can be used all the
// same.
func (d *discovery) lookUp(ctx context.Context) ([]endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, min(max(d.refresh, minLookup), maxLookup))
	defer cancel()
	var endpoints []endpoint
	var asked int
	var err error
	if d.member.srv {
		var records []*net.SRV
		_, records, err = d.resolver.LookupSRV(ctx, "", "", d.member.lookup)
		endpoints, asked = fromServices(records, d.member.Weight), len(records)
	} else {
		var addrs []netip.Addr
		addrs, err = d.addresses(ctx)
		endpoints, asked = fromAddresses(addrs, port(d.member.url), d.member.Weight), len(addrs)
	}
	if err == nil && len(endpoints) == 0 {
		err = fmt.Errorf("lookup %s: none of %d records can be used", d.member.lookup, asked)
	}
	return endpoints, err
}

// addresses asks for the addresses of both families. package net does not tell
// of a family whose lookup fails while the other's does not, and the half that
// is left must not be taken for the whole: a family that vanishes is asked for
// by itself, and stays unless DNS says that it is no more.
func (d *discovery) addresses(ctx context.Context) (addrs []netip.Addr, err error) {
	if addrs, err = d.resolver.LookupNetIP(ctx, "ip", d.member.lookup); err != nil {
		return nil, err
	}
	if addrs = usable(addrs); len(addrs) == 0 {
		return nil, nil
	}
	for network, member := range map[string]func(netip.Addr) bool{"ip4": netip.Addr.Is4, "ip6": netip.Addr.Is6} {
		if slices.ContainsFunc(addrs, member) || !slices.ContainsFunc(d.known, member) {
			continue
		}
		if _, lost := d.resolver.LookupNetIP(ctx, network, d.member.lookup); !fault.NotFound(lost) {
			err = lost
			for _, addr := range d.known {
				if member(addr) {
					addrs = append(addrs, addr)
				}
			}
		}
	}
	d.known = addrs
	return addrs, err
}

// adopt makes endpoints, if there are any, the backends of the member.
func (d *discovery) adopt(endpoints []endpoint, err error) Discovered {
	change := Discovered{Name: d.member.Name, Err: err}
	if len(endpoints) > maxFound {
		// Those that serve come first: too long an answer must not replace one
		// part of it with another at each lookup.
		serving, others := make([]endpoint, 0, len(endpoints)), []endpoint(nil)
		for _, e := range endpoints {
			if d.found[e] != nil {
				serving = append(serving, e)
			} else {
				others = append(others, e)
			}
		}
		change.Err = cmp.Or(err, fmt.Errorf("lookup %s: of %d backends, %d are used", d.member.lookup, len(endpoints), maxFound))
		endpoints = append(serving, others...)[:maxFound]
	}
	if len(endpoints) > 0 {
		before := d.found
		d.found = make(map[endpoint]*Backend, len(endpoints))
		for _, e := range endpoints {
			b := before[e]
			if b == nil {
				b = d.backend(e)
				change.Joined = append(change.Joined, b)
			}
			d.found[e] = b
		}
		for _, e := range d.endpoints {
			if d.found[e] == nil {
				change.Left = append(change.Left, before[e])
			}
		}
		d.endpoints, d.leaving = endpoints, append(d.leaving, change.Left...)
	}
	for _, e := range d.endpoints {
		change.Backends = append(change.Backends, d.found[e])
	}
	return change
}

// closeIdle closes what the backends that left keep open for requests that do
// not come any more. Each turn sees to the connections that were busy before.
func (d *discovery) closeIdle() {
	d.leaving = slices.DeleteFunc(d.leaving, func(b *Backend) bool {
		b.connections.CloseIdleConnections()
		return b.OpenConnections() == 0 && b.Active() == 0
	})
}

// port returns the port of u, or that of its scheme.
func port(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}
