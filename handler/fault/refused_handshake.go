package fault

import (
	"crypto/tls"
	"errors"
	"net"
)

// refusals are the alerts by which a server says that it does not take the client's
// certificate, or that there is none (RFC 8446 §6.2), by what crypto/tls says of
// them: over TCP it has a type of its own for their numbers.
var refusals = func() map[string]bool {
	texts := map[string]bool{}
	for _, alert := range []tls.AlertError{40, 42, 43, 44, 45, 46, 48, 49, 116} {
		texts[alert.Error()] = true
	}
	return texts
}()

// HandshakeRefused reports whether err is a server's word that it does not take the
// client's certificate. With TLS 1.3 the client meets with it after its own part of
// the handshake.
func HandshakeRefused(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" && refusals[op.Err.Error()]
}
