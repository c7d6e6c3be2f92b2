package route

import (
	"context"
	"net/http"

	"spangate/handler/certificate"
	"spangate/telemetry"
)

// Table is all routes, and what leads to them. It is a handler.
type Table struct {
	parts *parts
	rest  *Route // takes what no other route does
}

// NewTable builds the routes. Nothing of them runs before [Table.Run].
func NewTable(cfg Config, front Front, tel *telemetry.Telemetry) (*Table, error) {
	front.Shared = cfg.Shared
	return newTable(cfg, newParts(front), tel)
}

func newTable(cfg Config, p *parts, tel *telemetry.Telemetry) (*Table, error) {
	t := &Table{parts: p}
	var err error
	t.rest, err = newRoute("", cfg, own{}, p, tel)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// ServeHTTP implements [http.Handler].
func (t *Table) ServeHTTP(w http.ResponseWriter, r *http.Request) { t.rest.ServeHTTP(w, r) }

// Run does what is to be done beside requests, until ctx is done. It returns when all of
// that has ended.
func (t *Table) Run(ctx context.Context) error { return t.parts.run(ctx) }

// OnDemand returns next as what also probes where timers cannot.
func (t *Table) OnDemand(next http.Handler) http.Handler { return t.parts.onDemand(next) }

// Certificates returns what there is to know of those that backends are shown.
func (t *Table) Certificates() []certificate.Info { return t.parts.certificates() }

// Ready returns why no request should come yet, or nil.
func (t *Table) Ready() error { return t.rest.pool.Started() }
