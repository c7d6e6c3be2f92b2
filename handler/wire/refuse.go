package wire

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"spangate/handler/wire/http1"
)

// RefusedRequest is a request that was answered without a handler, as it could not be
// read.
type RefusedRequest struct {
	Peer    net.Addr
	Request *http.Request // as far as it was read; nil where its first line was not
	Status  int
	Err     error // what is wrong with it
}

// betweenRefusals is the least time from one line of refused requests to the next.
const betweenRefusals = time.Second

// refuse answers a request whose head cannot be read for err, if anybody waits for an
// answer, after which the connection ends. All refusals are made here.
func (c *clientConn) refuse(r *http.Request, err error) {
	status := http1.StatusOf(err)
	if status == 0 {
		if !os.IsTimeout(err) {
			return
		}
		status, err = http.StatusRequestTimeout, errLate
	}
	refused := RefusedRequest{c.RemoteAddr(), r, status, err}
	if c.refused != nil {
		c.refused(refused)
	}
	if n, passes := c.server.refusals.Pass(); passes {
		c.server.log.Info("requests refused that cannot be read", "peer", refused.Peer.String(), "status", status, "requests", n, "error", err.Error())
	}
	said := fmt.Sprintf("%d %s", status, http.StatusText(status))
	answer := "HTTP/1.1 " + said + "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + said + ": " + err.Error() + "\n"
	c.lingers = c.write([]byte(answer), time.Time{}) == nil
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
