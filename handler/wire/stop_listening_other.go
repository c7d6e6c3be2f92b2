//go:build !linux

package wire

import (
	"context"
	"net"
)

func stopListening(_ context.Context, ln net.Listener, _ bool) { ln.Close() }
