package wire

import "spangate/handler/wire/http1"

// switchedConn is a connection behind a 101, on which another protocol is spoken. It
// begins with what had come behind that.
type switchedConn struct{ *http1Conn }

func (s switchedConn) Read(p []byte) (int, error) { return s.in.Read(p) }

// CloseWrite ends the sending direction.
func (s switchedConn) CloseWrite() error {
	return s.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// switched hands the connection over.
func (x *exchange) switched() error {
	if x.upload.owed() {
		return http1.Malformed("another protocol amid a request")
	}
	x.over.Store(true)
	x.c.http1.timed.lift()
	x.resp.Body = switchedConn{x.c.http1}
	return nil
}
