package telemetry

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"go.opentelemetry.io/otel/attribute"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/handler/clock"
	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/telemetry/export/series"
)

// betweenRefusals and betweenFloods are the least times from one event to the next:
// who sends what nobody can read, and comes back at once, must not fill the log.
const (
	betweenRefusals = time.Second
	betweenFloods   = time.Minute
)

// unreadable is what there is to tell of requests that no handler gets, and of
// connections that end for what is no request.
type unreadable struct {
	refusals *bound[unreadableSet, series.Sum]
	floods   *series.Sum

	logOfRefusals clock.Pace
	logOfFloods   clock.Pace
}

func newUnreadable(m *meter) *unreadable {
	return &unreadable{
		refusals: counted(m, requestRefusalsName, unreadableSet.attributes), floods: m.counter(floodsName).Of(),
		logOfRefusals: clock.Pace{Every: betweenRefusals}, logOfFloods: clock.Pace{Every: betweenFloods},
	}
}

type unreadableSet struct{ errorType fault.Type }

func (s unreadableSet) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{semconv.ErrorTypeKey.String(string(s.errorType))}
}

// requestRefused counts a request that is answered and not handled, and tells the log
// of one a second. Where its first line could be read it is a request like others:
// it has a span, its metrics and a line in the access log.
func (t *Telemetry) requestRefused(refused wire.RefusedRequest) {
	ctx, u := context.Background(), t.front.unreadable
	u.refusals.of(unreadableSet{refused.Err.Type}).Add(ctx, 1)
	if n, passes := u.logOfRefusals.Pass(); passes {
		line := []slog.Attr{
			slog.String("event.name", requestRefusedEvent),
			slog.Int(string(semconv.HTTPResponseStatusCodeKey), refused.Status),
			slog.String(string(semconv.ErrorTypeKey), string(refused.Err.Type)),
		}
		line = appendPeer(line, refused.Peer)
		t.Log.LogAttrs(ctx, slog.LevelInfo, "a request that cannot be read was refused", append(line,
			slog.String(string(semconv.ExceptionMessageKey), printable(refused.Err.Err.Error(), longestReason)),
			slog.Int(string(requestCountKey), n))...)
	}
	if r := refused.Request; r != nil && !t.off {
		t.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			exchangeOf(r.Context()).failure = refused.Err
			w.WriteHeader(refused.Status)
		})).ServeHTTP(unheard{}, r)
	}
}

// unheard is the answer to a request that somebody else answers.
type unheard struct{}

func (unheard) Header() http.Header         { return http.Header{} }
func (unheard) Write(p []byte) (int, error) { return len(p), nil }
func (unheard) WriteHeader(int)             {}

// flooded counts a connection that was closed for a flood of frames, and tells the
// log of one a minute.
func (t *Telemetry) flooded(peer net.Addr, err error) {
	ctx, u := context.Background(), t.front.unreadable
	u.floods.Add(ctx, 1)
	if n, passes := u.logOfFloods.Pass(); passes {
		line := appendPeer([]slog.Attr{slog.String("event.name", floodStoppedEvent)}, peer)
		t.Log.LogAttrs(ctx, slog.LevelWarn, "connection closed for a flood of frames", append(line,
			slog.String(string(semconv.ExceptionMessageKey), err.Error()), slog.Int(string(floodCountKey), n))...)
	}
}

// appendPeer adds the other end of a connection to a line.
func appendPeer(line []slog.Attr, peer net.Addr) []slog.Attr {
	at, err := netip.ParseAddrPort(peer.String())
	if err != nil {
		return line
	}
	return append(line, slog.String(string(semconv.NetworkPeerAddressKey), at.Addr().Unmap().String()),
		slog.Int(string(semconv.NetworkPeerPortKey), int(at.Port())))
}
