package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"spangate/handler/certificate"
)

const day = 24 * time.Hour

// Certificates returns what reports at each collection how long the certificates that
// clients are shown are still valid, and warns of those that expire soon: at once,
// when files have changed, and then once a day. It runs until its context is done,
// and then returns nil.
func (t *Telemetry) Certificates(shown func() []certificate.Info) func(context.Context) error {
	return func(ctx context.Context) error {
		warn := func(c certificate.Info) { t.warnOf(c) }
		t.expiry.look(shown(), warn)
		t.meter.OnCollect(func() {
			all := shown()
			t.expiry.look(all, warn) // where the processor stops between requests, so do timers
			for name, left := range leastLeft(all) {
				t.front.expiresIn.Observe(left, t.meter.with(tlsCertificateKey.String(name))...)
			}
		})
		for t.expiry.wait(ctx) == nil {
			t.expiry.look(shown(), warn)
		}
		return nil
	}
}

// warnOf tells the log of a certificate that expires soon, or has.
func (t *Telemetry) warnOf(c certificate.Info, of ...slog.Attr) {
	says, left := "a certificate expires soon", daysLeft(c)
	if left < 0 {
		says = "a certificate has expired"
	}
	t.Log.LogAttrs(context.Background(), slog.LevelWarn, says, append(of, slog.String("event.name", tlsCertificateExpiringEvent),
		slog.String(string(tlsCertificateKey), printable(c.Name, longestServerName)), slog.Float64(string(tlsCertificateExpiresInKey), left))...)
}

func daysLeft(c certificate.Info) float64 { return time.Until(c.NotAfter).Hours() / 24 }

// leastLeft returns the days that are left to the certificates by their names. One
// name may have several, of different keys.
func leastLeft(all []certificate.Info) map[string]float64 {
	least := map[string]float64{}
	for _, c := range all {
		left := daysLeft(c)
		if known, ok := least[c.Name]; !ok || left < known {
			least[c.Name] = left
		}
	}
	return least
}

// expiry is when certificates were last looked at. Its zero value is not ready for
// use.
type expiry struct {
	mu     sync.Mutex
	next   time.Time // without the time of the process, which stands still while that does
	change chan struct{}
}

func newExpiry() *expiry { return &expiry{change: make(chan struct{}, 1)} }

// look calls warn with each of those that expire soon, unless it did so less than a
// day ago.
func (e *expiry) look(all []certificate.Info, warn func(certificate.Info)) {
	e.mu.Lock()
	now := time.Now().Round(0)
	soon := !now.Before(e.next)
	if soon {
		e.next = now.Add(day)
	}
	e.mu.Unlock()
	if !soon {
		return
	}
	for _, c := range all {
		if c.ExpiresSoon(now) {
			warn(c)
		}
	}
}

// changed has certificates looked at anew.
func (e *expiry) changed() {
	e.mu.Lock()
	e.next = time.Time{}
	e.mu.Unlock()
	select {
	case e.change <- struct{}{}:
	default: // it will be done already
	}
}

// wait returns when it is time to look again: more often than once a day, as the
// time of the process may stand still. It returns ctx's error once that is done.
func (e *expiry) wait(ctx context.Context) error {
	hour := time.NewTimer(time.Hour)
	defer hour.Stop()
	select {
	case <-hour.C:
	case <-e.change:
	case <-ctx.Done():
	}
	return ctx.Err()
}
