package wire

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"spangate/handler/fault"
	"spangate/handler/wire/http1"
)

// RefusedRequest is a request that is answered without the handler, as it cannot be
// read.
type RefusedRequest struct {
	Peer net.Addr
	// Request has what could be read: its first line, as far as that is well-formed,
	// and whose it is. Its header may be nil. It is nil where its first line is not a
	// method, a target and a version.
	Request *http.Request
	Status  int
	// Err is what is wrong with it. Its type is the status where that has no other name.
	Err *fault.Error
}

// refuse answers a request whose head cannot be read for err, if anybody waits for an
// answer, after which the connection ends.
func (c *clientConn) refuse(r *http.Request, err error) {
	status := http1.StatusOf(err)
	if status == 0 {
		if !os.IsTimeout(err) {
			return
		}
		status, err = http.StatusRequestTimeout, errLate
	}
	if r != nil {
		c.name(r)
		if r.URL == nil {
			r.URL = &url.URL{}
		}
	}
	c.server.refused(c.RemoteAddr(), r, status, err)
	said := fmt.Sprintf("%d %s", status, http.StatusText(status))
	answer := "HTTP/1.1 " + said + "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + said + ": " + err.Error() + "\n"
	_, err = c.write([]byte(answer), time.Time{})
	c.lingers = err == nil
}

// name notes in r whose request it is.
func (c *clientConn) name(r *http.Request) {
	if c.remote == "" {
		c.remote, c.local = c.Conn.RemoteAddr().String(), c.Conn.LocalAddr()
		c.peer = parsePeer(c.remote) // once, and not for each request
	}
	if r.RemoteAddr = c.remote; c.secure != nil {
		r.TLS = &c.secure.state
	}
}

// refused tells of a request that is answered with status for err, and not handled.
// All of them are told of here.
func (s *server) refused(peer net.Addr, r *http.Request, status int, err error) {
	if s.hooks.Refused == nil {
		return
	}
	kind := fault.Type(strconv.Itoa(status))
	switch status {
	case http.StatusBadRequest:
		kind = fault.MalformedRequest
	case http.StatusRequestTimeout:
		kind = fault.ClientTimeout
	case http.StatusRequestHeaderFieldsTooLarge:
		kind = fault.HeaderTooLarge
	}
	s.hooks.Refused(RefusedRequest{peer, r, status, &fault.Error{Type: kind, Err: err}})
}

var errLate = errors.New("the header has not come whole in time")

// errPreface is what is wrong with HTTP/2's preface where that is not whole, or behind
// a request.
func errPreface(behind bool) error {
	if behind {
		return http1.Malformed("an HTTP/2 preface behind a request")
	}
	return http1.Malformed("an HTTP/2 preface that is not whole")
}
