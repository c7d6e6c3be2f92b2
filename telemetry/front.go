package telemetry

import (
	"net"

	"spangate/handler/wire"
)

// Front returns what tells the log of what happens before there is a request.
func (t *Telemetry) Front() wire.Hooks {
	return wire.Hooks{
		Failed: t.Exhausted,
		Handshake: func(peer net.Addr, err error) {
			t.Log.Debug("a handshake of TLS failed", "peer", peer.String(), "error", err.Error())
		},
		ProxyHeader: t.proxyHeaderFailed,
		Reloaded: func(err error) {
			if err != nil {
				t.Log.Warn("files of TLS have changed and cannot be used: those before stay in force", "error", err.Error())
				return
			}
			t.Log.Info("files of TLS have changed and are in force")
		},
	}
}
