//go:build !unix

package wire

import (
	"errors"
	"net"

	"spangate/handler/wire/http1"
)

// socket is none where systems do not let it be looked at.
type socket struct{}

func newSocket(net.Conn) *socket { return nil }

func (*socket) fill(*http1.Reader) error { return errors.ErrUnsupported }

func (*socket) awaitEnd() (gone bool, err error) { return false, errors.ErrUnsupported }

func (*socket) write([]byte) (int, error) { return 0, errors.ErrUnsupported }
