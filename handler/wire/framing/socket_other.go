//go:build !unix

package framing

import "net"

// socket cannot be looked at here.
type socket struct{}

func socketOf(net.Conn) *socket { return nil }

func (*socket) isOpaque() bool { return true }

func (*socket) await() {}

func (*socket) look() (beginning []byte, ended bool) { return nil, false }
