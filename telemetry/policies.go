package telemetry

import (
	"errors"
	"fmt"
	"log/slog"

	"spangate/policy"
	"spangate/policy/jwks"
)

// Policies returns the hooks by which the span of a request, its line in the access
// log, metrics and the log get to know what policies find out. What they refuse
// is [Telemetry.Refuse]'s. Where nothing is recorded of requests, none of what would be
// told of them is there.
func (t *Telemetry) Policies() policy.Hooks {
	hooks := policy.Hooks{Fetched: t.logFetched}
	if !t.off {
		hooks.RequestID, hooks.Authenticated, hooks.Waited = t.noteRequestID, t.noteAuthenticated, t.noteWait
	}
	return hooks
}

// logFetched tells the log of keys of tokens that are new, or could not be had.
func (t *Telemetry) logFetched(f jwks.Fetched) {
	switch {
	case f.Err != nil:
		t.Log.Warn("the keys of tokens could not be fetched", "keys", f.Set.Len(), "next", f.Next.String(), "error", fmt.Sprintf("%.1000s", f.Err))
	case f.Changed:
		t.Log.Info("keys of tokens fetched", "keys", f.Set.Len())
	}
	if len(f.Ignored) > 0 {
		t.Log.Warn("keys of tokens are ignored", "keys", len(f.Ignored), "error", fmt.Sprintf("%.1000s", errors.Join(f.Ignored...)))
	}
}

// StoreChanged returns a hook that tells the log whether the store of the counts
// can be asked. onError is what holds while it cannot.
func (t *Telemetry) StoreChanged(onError string) func(degraded bool, err error) {
	return func(degraded bool, err error) {
		if degraded {
			t.Log.Warn("rate limits are not shared", slog.String("event.name", rateLimitStoreLostEvent),
				slog.String(string(rateLimitOnStoreErrorKey), onError), slog.String("exception.message", fmt.Sprintf("%.500s", err)))
			return
		}
		t.Log.Info("rate limits are shared", slog.String("event.name", rateLimitStoreReachedEvent))
	}
}
