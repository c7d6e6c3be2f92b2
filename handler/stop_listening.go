//go:build unix

package handler

import (
	"context"
	"net"
	"syscall"
	"time"
)

// acceptRest is how long connections are still taken once ln has stopped
// listening: longer than a client takes to repeat the packet that found the
// queue full.
const acceptRest = 300 * time.Millisecond

// stopListening closes ln without losing whoever has just connected. Closing
// alone resets the connections that wait to be accepted; so the queue for them
// is closed first, and emptied by whoever accepts on ln.
func stopListening(ctx context.Context, ln net.Listener) {
	if tcp, ok := ln.(*net.TCPListener); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { syscall.Listen(int(fd), 0) })
			wait(ctx, acceptRest, nil)
		}
	}
	ln.Close()
}
