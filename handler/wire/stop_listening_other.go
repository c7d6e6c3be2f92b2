//go:build !linux

package handler

import (
	"context"
	"net"
)

func stopListening(_ context.Context, ln net.Listener) { ln.Close() }
