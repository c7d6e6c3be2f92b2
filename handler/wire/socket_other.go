//go:build !unix

package wire

import (
	"errors"
	"io"
	"net"

	"spangate/handler/wire/http1"
)

// socket is none where systems do not let it be looked at.
type socket struct{}

func newSocket(net.Conn) *socket { return nil }

func socketBelow(net.Conn) *socket { return nil }

func (*socket) fill(*http1.Reader) error { return errors.ErrUnsupported }

func (*socket) await() error { return errors.ErrUnsupported }

func awaitReset(net.Conn) error { return io.EOF }

func (*socket) look() (beginning []byte, ended bool) { return nil, false }

func (*socket) write([]byte) (int, error) { return 0, errors.ErrUnsupported }
