package route

// ofPool are the variables of a pool, which is one for all routes that have it.
var ofPool = []string{"BALANCER*", "BACKEND_*", "OUTLIER_*", "PANIC_THRESHOLD", "PROBE_*"}

// ofBackends are those of what goes to backends, and of how it gets there.
var ofBackends = append([]string{"BACKENDS", "RETRY_*", "CANARY", "CANARY_*", "MIRROR", "MIRROR_*", "STRIP", "ADD_PREFIX", "REWRITE", "REWRITE_RESPONSES", "REQUEST_HEADERS"}, ofPool...)

// asksNobody reports whether the route answers by itself.
func (n *Named) asksNobody() bool { return n.Sets("REDIRECT", "RESPOND") }

// hasPool reports whether the route has backends, and they are its own or those that it
// inherits.
func (n *Named) hasPool() bool { return !n.asksNobody() && n.Balancer.Backends.Route() == "" }

// Idle returns patterns of the variables that mean nothing to the route, whether it sets
// or inherits them: they are of backends that it does not ask, or for another route to say.
func (n *Named) Idle() []string {
	switch {
	case n.asksNobody():
		return ofBackends
	case !n.hasPool():
		return ofPool
	}
	return nil
}

// checkIdle returns an error for each of them that is set.
func (n *Named) checkIdle() error {
	switch other := n.Balancer.Backends.Route(); {
	case n.Sets("REDIRECT"):
		return n.useless("with %s, which asks no backend", &n.Action.Redirect)
	case n.Sets("RESPOND"):
		return n.useless("with %s, which asks no backend", &n.Action.Respond)
	case other != "" && n.Sets("BACKENDS"):
		return n.useless("with the backends of %q, for which %q says it", other, other)
	}
	return nil
}

func (n *Named) useless(why string, args ...any) error { return n.Useless(n.Idle(), why, args...) }
