//go:build !unix

package framing

import "net"

// socket cannot be looked at here.
type socket struct{}

func socketOf(net.Conn) *socket { return nil }

func (*socket) await() {}

func (*socket) look() (beginning []byte, ended bool) { return nil, false }
