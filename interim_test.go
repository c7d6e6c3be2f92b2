package main

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"spangate/handler/wire/wiretest"
)

// TestInterimResponsesOfStreamsThatEnd has clients of HTTP/2 reset their streams while
// interim responses are sent on them: what is read of a header then must not change.
func TestInterimResponsesOfStreamsThatEnd(t *testing.T) {
	t.Parallel()
	var hints strings.Builder
	for i := range 100 {
		fmt.Fprintf(&hints, "HTTP/1.1 103 Early Hints\r\n")
		for j := range 60 {
			fmt.Fprintf(&hints, "Link-%d: </%d.css>; rel=preload\r\n", j, i)
		}
		hints.WriteString("\r\n")
	}
	backend := wiretest.Listen(t, func(conn net.Conn, _ int) {
		conn.Read(make([]byte, 4<<10))
		conn.Write([]byte(hints.String() + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone"))
	})
	p := start(t, "BACKENDS=http://"+backend, "PROBE_MODE=off", "OUTLIER_FAILURES=0")
	c := http2ClientOver(t, dial(t, p.addr))
	for range 60 {
		stream := c.open(true, request("GET", "/")...)
		for c.got[stream] == nil || len(c.got[stream].statuses) < 3 {
			c.read()
		}
		c.try(c.framer.WriteRSTStream(stream, http2.ErrCodeCancel))
	}
	c.goesOn(strings.Repeat("103 ", 100) + "200 done")
}
