package telemetry

import "spangate/balancer"

// discovered logs what a lookup has changed.
func (t *Telemetry) discovered(found balancer.Discovered) {
	if found.Err != nil {
		t.Log.Warn("backends could not be looked up", "name", found.Name, "backends", len(found.Backends), "error", found.Err.Error())
		return
	}
	t.Log.Info("backends found", "name", found.Name, "backends", len(found.Backends), "joined", len(found.Joined), "left", len(found.Left))
}
