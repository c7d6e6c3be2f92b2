package handler

import "net"

// StrictConn is for tests of the framing alone.
func StrictConn(conn net.Conn) net.Conn { return &strictConn{Conn: conn} }
