package wire

import (
	"errors"
	"net"
	"syscall"
)

// watchedListener tells failed of each error of Accept.
type watchedListener struct {
	net.Listener
	failed func(error)
}

func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil && l.failed != nil {
		l.failed(err)
	}
	return conn, err
}

// SyscallConn returns the socket, which [Serve] tells to take nobody any more.
func (l watchedListener) SyscallConn() (syscall.RawConn, error) { return socketOf(l.Listener) }

// socketOf returns the socket that somebody listens on.
func socketOf(ln net.Listener) (syscall.RawConn, error) {
	if socket, ok := ln.(syscall.Conn); ok {
		return socket.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
