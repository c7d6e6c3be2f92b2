package telemetry

import (
	"log/slog"
	"net/http"
	"time"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/wire/websocket"
	"spangate/telemetry/logline"
)

// Upgraded counts a connection that goes on in another protocol, and notes what became
// of it when it has ended. It is a hook of [spangate/handler.ForwardConfig].
func (t *Telemetry) Upgraded(r *http.Request, u *handler.Upgrade) (ended func()) {
	if t.off {
		return func() {}
	}
	start, protocol := time.Now(), upgradeOther
	if u.Protocol == string(upgradeWebSocket) {
		protocol = upgradeWebSocket
	}
	e := exchangeOf(r.Context())
	upgrades := t.at(e).metrics().upgrade
	upgrades.began(u, protocol)
	return func() {
		of := newUpgrade(u, protocol, time.Since(start))
		upgrades.ended(r.Context(), u, &of)
		if t.events != nil {
			line := []slog.Attr{slog.String("event.name", upgradeEndedEvent)}
			var told list
			of.span(&told)
			for _, a := range told.attributes {
				line = append(line, slog.Any(string(a.Key), a.Value.AsInterface()))
			}
			t.events.LogAttrs(r.Context(), slog.LevelInfo, "upgraded connection ended", line...)
		}
		if e != nil {
			e.upgrade = of
		}
	}
}

// upgradeProtocol is what an upgraded connection goes on in. What backends agree to is
// the client's choice as well, and so no label of a metric.
type upgradeProtocol string

const (
	upgradeWebSocket upgradeProtocol = "websocket"
	upgradeOther     upgradeProtocol = "_OTHER"
)

// closeReason is how an upgraded connection came to its end.
type closeReason string

const (
	closeNormal      closeReason = "normal"
	closeGoingAway   closeReason = "going_away"
	closeNoStatus    closeReason = "no_status"
	closeError       closeReason = "error"
	closeApplication closeReason = "application"
	closeInvalid     closeReason = "invalid"
	closeEnd         closeReason = "end"
	closeReset       closeReason = "reset"
	closeShutdown    closeReason = "shutdown"
	closeTimeout     closeReason = "timeout"
)

// closeReasonOf returns the class of the status of a WebSocket's Close (RFC 6455 §7.4.2),
// or what there was in place of a Close.
func closeReasonOf(p handler.Parting) closeReason {
	switch {
	case !p.Close && p.Cause == fault.Timeout:
		return closeTimeout
	case !p.Close && p.Cause != "":
		return closeShutdown
	case !p.Close && p.Lost:
		return closeReset
	case !p.Close:
		return closeEnd
	}
	switch status := p.Status; {
	case status == 1000:
		return closeNormal
	case status == 1001:
		return closeGoingAway
	case status == websocket.NoStatus:
		return closeNoStatus
	case status > 1001 && status < 1004, status > 1006 && status < 1015:
		return closeError
	case status >= 3000 && status < 5000:
		return closeApplication
	}
	return closeInvalid
}

// upgrade is what became of an upgraded connection; without a protocol there is none.
type upgrade struct {
	protocol       upgradeProtocol
	took           time.Duration
	received, sent int64 // bytes from the client, and to it
	closedBy       websocket.Party
	reason         closeReason
	status         int // of the Close of a WebSocket; negative: none
	farewell       farewell
}

func newUpgrade(u *handler.Upgrade, protocol upgradeProtocol, took time.Duration) upgrade {
	of := upgrade{protocol: protocol, took: took, status: websocket.NoStatus}
	of.received, of.sent = u.Passed()
	if p := u.Parting(); p != nil {
		of.closedBy, of.reason = p.By, closeReasonOf(*p)
		if p.Close {
			of.status = p.Status
		}
	}
	if told, answered := u.Told(); answered {
		of.farewell = farewellAnswered
	} else if told {
		of.farewell = farewellUnanswered
	}
	return of
}

// farewell is how a WebSocket was parted from at a drain; empty: it was not.
type farewell string

const (
	farewellAnswered   farewell = "answered"
	farewellUnanswered farewell = "unanswered"
)

func (u *upgrade) span(to attributes) {
	if u.protocol == "" {
		return
	}
	to.String(upgradeProtocolKey, string(u.protocol))
	to.Float64(upgradeDurationKey, u.took.Seconds())
	to.Int(upgradeReceivedKey, int(u.received))
	to.Int(upgradeSentKey, int(u.sent))
	if u.closedBy != "" {
		to.String(upgradeClosedByKey, string(u.closedBy))
		to.String(upgradeCloseReasonKey, string(u.reason))
	}
	if u.status >= 0 {
		to.Int(upgradeCloseCodeKey, u.status)
	}
	if u.farewell != "" {
		to.String(upgradeFarewellKey, string(u.farewell))
	}
}

func (u *upgrade) line(line *logline.Line) {
	if u.protocol == "" {
		return
	}
	line.String("upgrade", string(u.protocol))
	line.Int("upgrade_received", u.received)
	line.Int("upgrade_sent", u.sent)
	if u.closedBy != "" {
		line.String("closed_by", string(u.closedBy))
		line.String("close_reason", string(u.reason))
	}
	if u.status >= 0 {
		line.Int("close_code", int64(u.status))
	}
	if u.farewell != "" {
		line.String("farewell", string(u.farewell))
	}
}
