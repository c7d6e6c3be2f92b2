package telemetry

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/handler"
	"spangate/handler/clock"
	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/telemetry/export/series"
)

// betweenHandshakes is the least time from one event of a handshake that failed to
// the next: whoever scans ports must not fill the log.
const betweenHandshakes = time.Second

// handshakeOfClient counts a handshake that failed, and tells the log of one a
// second.
func (t *Telemetry) handshakeOfClient(failed wire.FailedHandshake) {
	ctx := context.Background()
	reason := fault.HandshakeReason(failed.Err)
	t.front.handshakes.failures.of(handshakeSet{"client", reason}).Add(ctx, 1)
	failures, passes := t.front.handshakes.log.Pass()
	if !passes {
		return
	}
	line := []slog.Attr{
		slog.String("event.name", tlsHandshakeFailedEvent),
		slog.String(string(tlsPeerKey), "client"),
		slog.String(string(semconv.ErrorTypeKey), string(reason)),
	}
	if name := failed.ServerName; name != "" {
		line = append(line, slog.String(string(tlsServerNameKey), printable(name, longestServerName)))
	}
	line = append(appendPeer(line, failed.Peer), slog.String(string(semconv.ExceptionMessageKey), printable(failed.Err.Error(), longestReason)),
		slog.Int(string(tlsHandshakeCountKey), failures))
	t.Log.LogAttrs(ctx, slog.LevelInfo, "a handshake of TLS failed", line...)
}

const (
	longestServerName textLimit = 255 // no name is longer (RFC 1035 §2.3.4)
	longestReason     textLimit = 512 // crypto/tls lists in it what a client offers
)

// printable returns of a text that a client may have written what is fit to be read.
func printable(s string, longest textLimit) string {
	return string(handler.Visible([]byte(longest.text(s))))
}

// reloaded tells of files of TLS that have changed, and why they are not heeded.
func (t *Telemetry) reloaded(err error) {
	ctx, result := context.Background(), "loaded"
	if err != nil {
		result = "rejected"
	}
	t.front.reloads.Of(tlsReloadResultKey.String(result)).Add(ctx, 1)
	if err != nil {
		t.Log.LogAttrs(ctx, slog.LevelWarn, "files of TLS have changed and cannot be used: those before stay in force",
			slog.String("event.name", tlsCertificateRejectedEvent), slog.String(string(semconv.ExceptionMessageKey), err.Error()))
		return
	}
	t.Log.LogAttrs(ctx, slog.LevelInfo, "files of TLS have changed and are in force", slog.String("event.name", tlsCertificateReloadedEvent))
	t.expiry.changed()
}

type handshakeMetrics struct {
	failures *bound[handshakeSet, series.Sum]
	log      clock.Pace // of those with clients

	logOfBackends clock.Pace
}

func newHandshakeMetrics(m *meter) *handshakeMetrics {
	return &handshakeMetrics{
		failures: counted(m, tlsHandshakeFailuresName, handshakeSet.attributes),
		log:      clock.Pace{Every: betweenHandshakes}, logOfBackends: clock.Pace{Every: betweenHandshakes},
	}
}

type handshakeSet struct {
	peer   string // client or backend
	reason fault.Handshake
}

func (s handshakeSet) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{tlsPeerKey.String(s.peer), semconv.ErrorTypeKey.String(string(s.reason))}
}
