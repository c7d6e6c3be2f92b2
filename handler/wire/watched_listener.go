package wire

import (
	"errors"
	"net"
	"syscall"
)

// watchedListener tells of each error of Accept. Its hooks are for what comes of
// connections, too.
type watchedListener struct {
	net.Listener
	hooks Hooks
}

func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil && l.hooks.Failed != nil {
		l.hooks.Failed(err)
	}
	return conn, err
}

// SyscallConn returns the socket, which [Serve] tells to take nobody any more.
func (l watchedListener) SyscallConn() (syscall.RawConn, error) { return socketOf(l.Listener) }

// hooksOf returns what is told of connections of ln.
func hooksOf(ln net.Listener) Hooks {
	switch l := ln.(type) {
	case watchedListener:
		return l.hooks
	case relayedListener:
		return hooksOf(l.Listener)
	case secureListener:
		return hooksOf(l.Listener)
	}
	return Hooks{}
}

// socketOf returns the socket that somebody listens on.
func socketOf(ln net.Listener) (syscall.RawConn, error) {
	if socket, ok := ln.(syscall.Conn); ok {
		return socket.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
