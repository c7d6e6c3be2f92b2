package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/balancer"
	"spangate/handler/fault"
)

// handshakeWithBackend counts a handshake that failed, and tells the log of one a
// second; after one that did not, it looks at the certificate.
func (t *Telemetry) handshakeWithBackend(b *balancer.Backend, err error) {
	if err == nil {
		t.look(b)
		return
	}
	ctx, reason := context.Background(), fault.HandshakeReason(err)
	t.front.handshakes.failures.of(handshakeSet{"backend", reason}).Add(ctx, 1)
	failures, passes := t.front.handshakes.logOfBackends.Pass()
	if !passes {
		return
	}
	line := []slog.Attr{
		slog.String("event.name", tlsHandshakeFailedEvent),
		slog.String(string(tlsPeerKey), "backend"), slog.String(string(backendKey), b.Name),
		slog.String(string(semconv.ErrorTypeKey), string(reason)),
		slog.String(string(semconv.ExceptionMessageKey), printable(err.Error(), longestReason)),
		slog.Int(string(tlsHandshakeCountKey), failures),
	}
	if b.Address != "" {
		line = append(line, slog.String(string(backendAddressKey), b.Address))
	}
	t.Log.LogAttrs(ctx, slog.LevelInfo, "a handshake of TLS failed", line...)
}

// look warns, once a day, of a certificate of b that expires soon, or that nobody
// verifies.
func (t *Telemetry) look(b *balancer.Backend) {
	c := b.Certificate()
	if c == nil {
		return
	}
	soon := c.ExpiresSoon(time.Now())
	if !soon && !b.Unverified() || !t.front.warned.first(b.Name+" "+c.Fingerprint, time.Now()) {
		return
	}
	if soon {
		t.warnOf(*c, slog.String(string(backendKey), b.Name))
	}
	if b.Unverified() {
		t.Log.Warn("nobody verifies the certificate of a backend; with fingerprint= in place of tls-verify=off it has to be this one",
			"backend", b.Name, "fingerprint", "sha256:"+c.Fingerprint)
	}
}

// daily tells what comes for the first time in a day. It is safe for concurrent use;
// the zero value is ready.
type daily struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// mostSeen bounds what is told in a day: whoever shows another certificate each time
// must fill neither the log nor memory.
const mostSeen = 1000

// first reports whether key has not come for a day. It forgets what has not.
func (d *daily) first(key string, now time.Time) bool {
	now = now.Round(0) // by the time of the world, as that of a process may stand still
	d.mu.Lock()
	defer d.mu.Unlock()
	if last, ok := d.seen[key]; ok && now.Sub(last) < day {
		return false
	}
	for key, last := range d.seen {
		if now.Sub(last) >= day {
			delete(d.seen, key)
		}
	}
	if len(d.seen) >= mostSeen {
		return false
	}
	if d.seen == nil {
		d.seen = map[string]time.Time{}
	}
	d.seen[key] = now
	return true
}
