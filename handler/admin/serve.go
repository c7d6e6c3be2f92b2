package admin

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"spangate/handler/supervise"
	"spangate/handler/wire"
)

// Serve answers on the ports that are the proxy's own, if there are any: with endpoints on
// that of the endpoints, and with scrapes, unless it is nil, for /metrics on the port of
// scrapes or, where they have none, on that as well. It is [wire.ServeBriefly] for both.
func Serve(ctx context.Context, l wire.Listeners, endpoints, scrapes http.Handler, cfg wire.Config, log *slog.Logger) error {
	var runs []func(context.Context) error
	on := func(ln net.Listener, h http.Handler) {
		if ln != nil {
			runs = append(runs, func(ctx context.Context) error { return wire.ServeBriefly(ctx, []net.Listener{ln}, h, cfg, log) })
		}
	}
	if l.Metrics == nil {
		endpoints = metrics(scrapes, endpoints)
	}
	on(l.Admin, endpoints)
	on(l.Metrics, metrics(scrapes, http.NotFoundHandler()))
	return supervise.All(ctx, runs...)
}

// metrics returns what answers for /metrics with scrapes, unless that is nil, and leaves
// other paths to next.
func metrics(scrapes, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case scrapes == nil || r.URL.Path != "/metrics":
			next.ServeHTTP(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			refuseMethod(w)
		default:
			scrapes.ServeHTTP(w, r)
		}
	})
}
