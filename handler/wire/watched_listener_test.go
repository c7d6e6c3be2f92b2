package wire_test

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"spangate/handler/wire"
)

// starved is a listener whose first Accept lacks a descriptor.
type starved struct {
	net.Listener
	accepted int
}

var errStarved = &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}

func (s *starved) Accept() (net.Conn, error) {
	if s.accepted++; s.accepted == 1 {
		return nil, errStarved
	}
	server, client := net.Pipe()
	client.Close()
	return server, nil
}

func TestFailedAccepts(t *testing.T) {
	var told []error
	ln := wire.Listeners{HTTP: &starved{}}.With(wire.Config{}, nil, wire.Hooks{Failed: func(err error) { told = append(told, err) }}).HTTP
	if _, err := ln.Accept(); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("Accept returns %v", err)
	}
	if conn, err := ln.Accept(); err != nil {
		t.Errorf("Accept returns %v", err)
	} else {
		conn.Close()
	}
	if len(told) != 1 || !errors.Is(told[0], syscall.EMFILE) {
		t.Errorf("told of %v, want the one error", told)
	}
}
