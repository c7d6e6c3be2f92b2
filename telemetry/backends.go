package telemetry

import (
	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"

	"spangate/balancer"
	"spangate/handler/certificate"
)

// ObserveBackends reports at each collection the state of each member, how many
// requests are in flight there, and how many connections are open. Backends of
// one name, as discovery finds them, are added up.
func (t *Telemetry) ObserveBackends(members func() []*balancer.Backend) {
	m := t.meter
	connections := m.observed(httpconv.ClientOpenConnectionsObservable{}.Name())
	requests, status := m.observed(backendActiveRequestsName), m.observed(backendStatusName)
	m.OnCollect(func() {
		all := members()
		for name, left := range leastLeft(shownBy(all)) {
			t.front.expiresIn.Observe(left, m.with(backendKey.String(name))...)
		}
		for b, sum := range sumUp(all) {
			server := []attribute.KeyValue{semconv.ServerAddress(b.host), semconv.ServerPort(b.port)}
			connections.Observe(sum.active, m.with(append(server, semconv.HTTPConnectionStateActive)...)...)
			connections.Observe(sum.idle, m.with(append(server, semconv.HTTPConnectionStateIdle)...)...)
			name := backendKey.String(b.name)
			requests.Observe(sum.inFlight, m.with(name)...)
			for _, state := range balancer.States {
				status.Observe(sum.states[state], m.with(name, backendStateKey.String(string(state)))...)
			}
		}
	})
}

// shownBy returns the certificates that backends show, under the names of these.
func shownBy(members []*balancer.Backend) (all []certificate.Info) {
	for _, b := range members {
		if c := b.Certificate(); c != nil {
			all = append(all, certificate.Info{Name: b.Name, NotAfter: c.NotAfter})
		}
	}
	return all
}

type backendName struct {
	name, host string
	port       int
}

type backendSum struct {
	inFlight, active, idle int64
	states                 map[balancer.State]int64
}

func sumUp(members []*balancer.Backend) map[backendName]*backendSum {
	sums := map[backendName]*backendSum{}
	for _, b := range members {
		host, port := splitHost(b.URL.Host, b.URL.Scheme)
		name := backendName{b.Name, host, port}
		if sums[name] == nil {
			sums[name] = &backendSum{states: map[balancer.State]int64{}}
		}
		sum := sums[name]
		open, inFlight := b.OpenConnections(), b.Active()
		active := min(open, inFlight) // each request has a connection of its own, save over HTTP/2
		sum.inFlight += inFlight
		sum.active += active
		sum.idle += open - active
		sum.states[b.State()]++
	}
	return sums
}
