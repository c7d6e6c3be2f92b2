package integrity

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// http1Client makes one request after the other over a connection while that
// lasts, and reads what comes byte for byte.
type http1Client struct {
	*run
	net.Conn // nil: none
	in       *bufio.Reader
}

// connect makes a connection unless there is one.
func (c *http1Client) connect() error {
	if c.Conn != nil {
		return nil
	}
	conn, err := net.DialTimeout("tcp", c.address, patience)
	if err == nil {
		c.Conn, c.in = conn, bufio.NewReaderSize(conn, 4<<10)
	}
	return err
}

func (c *http1Client) disconnect() {
	if c.Conn != nil {
		c.Conn.Close()
		c.Conn = nil
	}
}

// work makes the exchanges whose numbers it takes.
func (c *http1Client) work(ids *atomic.Int64) {
	defer c.disconnect()
	for {
		id := int(ids.Add(1))
		if id >= len(c.traces) {
			return
		}
		x := exchangeOf(c.seed, id)
		if x.paired && x.quick() {
			if id = int(ids.Add(1)); id < len(c.traces) {
				c.pair(x, exchangeOf(c.seed, id))
				continue
			}
		}
		c.judge(x, "HTTP/1.1", c.do(x))
		if id%20 == 0 {
			c.disconnect()
		}
	}
}

// quick reports whether a request can go in one piece, and without waiting.
func (x *exchange) quick() bool {
	return x.up.size <= 2048 && !x.expect && x.leaves == never && x.version == "HTTP/1.1"
}

// pair makes two exchanges, both of whose requests are sent before the first
// answer is read.
func (c *http1Client) pair(first, second exchange) {
	if !second.quick() {
		c.judge(first, "HTTP/1.1", c.do(first))
		c.judge(second, "HTTP/1.1", c.do(second))
		return
	}
	if err := c.connect(); err != nil {
		c.judge(first, "HTTP/1.1", outcome{err: err})
		c.judge(second, "HTTP/1.1", outcome{err: err})
		return
	}
	c.counts.pairs.Add(1)
	c.SetDeadline(time.Now().Add(patience))
	both := func(yield func([]byte) bool) {
		for _, x := range []exchange{first, second} {
			for b := range x.up.wire(c.header(x), x.id, false) {
				if !yield(b) {
					return
				}
			}
		}
	}
	pace := first.up.send
	if pace == slow {
		pace = headFirst
	}
	err := send(c, both, pace, first.id, -1) // fails where the first answer is cut
	o := c.receive(first, nil)
	c.judge(first, "HTTP/1.1", o)
	if o.closed || err != nil {
		// A client must make the second one again, which nobody has answered.
		c.disconnect()
		c.counts.behind.Add(1)
		c.judge(second, "HTTP/1.1", c.do(second))
		return
	}
	o = c.receive(second, nil)
	if o.closed {
		c.disconnect()
	}
	c.judge(second, "HTTP/1.1", o)
}

// do makes one exchange.
func (c *http1Client) do(x exchange) outcome {
	if x.version == "HTTP/1.0" {
		c.disconnect()
	}
	if err := c.connect(); err != nil {
		return outcome{err: err}
	}
	c.SetDeadline(time.Now().Add(patience))
	proceed := make(chan bool, 1) // once a 100 has come, or anything else
	sent := make(chan error, 1)
	if x.up.size <= 2048 && !x.expect && x.leaves != inUpload {
		sent <- c.send(x, proceed)
	} else {
		go func() { sent <- c.send(x, proceed) }()
	}
	if x.leaves == inUpload && !x.early {
		<-sent
		c.disconnect()
		return outcome{left: true}
	}
	o := c.receive(x, proceed)
	if o.closed {
		c.disconnect()
	}
	if err := <-sent; err != nil {
		if !o.closed {
			c.counts.unannounced.Add(1)
		}
		c.disconnect()
	}
	if x.version == "HTTP/1.0" {
		c.disconnect()
	}
	return o
}

func (c *http1Client) header(x exchange) string {
	c.traces[x.id].tell("asked over HTTP/1")
	var b strings.Builder
	fmt.Fprintf(&b, "%s /%d %s\r\nHost: integrity.test\r\nX-Exchange: %d\r\n", x.method, x.id, x.version, x.id)
	if x.up.filler > 0 {
		fmt.Fprintf(&b, "X-Filler: %s\r\n", filler(x.id, x.up.filler))
	}
	if x.down.trailer {
		b.WriteString("TE: trailers\r\nConnection: TE\r\n")
	}
	switch x.up.framing {
	case length:
		fmt.Fprintf(&b, "Content-Length: %d\r\n", x.up.size)
	case chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
		if x.up.trailer {
			b.WriteString("Trailer: X-Sum\r\n")
		}
	}
	if x.expect {
		b.WriteString("Expect: 100-continue\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// send sends a request, or as much of it as is to be sent.
func (c *http1Client) send(x exchange, proceed <-chan bool) error {
	header := c.header(x)
	conn := c.Conn
	if x.leaves == inUpload {
		// Chunks end in a byte more than the content has.
		send(conn, x.up.wire(header, x.id, false), x.up.send, x.id, len(header)+x.id%x.up.size)
		return errCut
	}
	if !x.expect {
		return send(conn, x.up.wire(header, x.id, false), x.up.send, x.id, -1)
	}
	if _, err := io.WriteString(conn, header); err != nil {
		return err
	}
	if goOn := <-proceed; !goOn {
		return errCut
	}
	return send(conn, x.up.wire("", x.id, false), x.up.send, x.id, -1)
}

// receive reads an answer. Whether the request's content is to be sent is written
// to proceed, if there is one.
func (c *http1Client) receive(x exchange, proceed chan<- bool) (o outcome) {
	defer func() {
		if proceed != nil {
			proceed <- false
		}
	}()
	h, err := c.final(x, &proceed)
	if err != nil {
		return outcome{err: err, closed: true}
	}
	version, rest, _ := strings.Cut(h.line, " ")
	code, _, _ := strings.Cut(rest, " ")
	if o.status, err = strconv.Atoi(code); err != nil || version != "HTTP/1.1" && version != x.version {
		return outcome{err: wrong("the line is %q", h.line), closed: true}
	}
	o.closed = h.has("Connection", "close") || x.version == "HTTP/1.0"
	o.identity, _ = h.get("X-Exchange")
	if o.identity == "" {
		return c.refusal(x, h, o)
	}
	fill, err1 := h.get("X-Filler")
	f, size, err2 := framingOf(h, false)
	switch {
	case errors.Join(err1, err2) != nil:
		o.err = errors.Join(err1, err2)
	case o.identity != strconv.Itoa(x.id) || fill != filler(x.id, x.down.filler):
		o.err = wrong("the answer is that of %s, with a filler of %d bytes, want %d", o.identity, len(fill), x.down.filler)
	case f == closing && !x.bodiless() && x.version != "HTTP/1.0":
		o.err = wrong("the answer ends with the connection")
	case x.bodiless():
		if f == length && size != x.down.size && x.status != 204 {
			o.err = wrong("Content-Length is %d, want %d", size, x.down.size)
		}
		return o
	}
	if o.err != nil {
		o.closed = true
		return o
	}
	if x.leaves == inDownload {
		take(c.in, 1, contentOf(x.id, true), newPacer(atOnce, 0))
		return outcome{left: true, closed: true}
	}
	got, err := readContent(c.in, f, size, contentOf(x.id, true), newPacer(x.down.read, x.id))
	o.err, o.closed = err, o.closed || err != nil || f == closing
	o.size = got.size
	sum, err := got.trailer.get("X-Sum")
	if o.err == nil && (err != nil || sum != "" && !x.down.trailer || sum != strconv.Itoa(x.id) && x.down.trailer) {
		o.err = wrong("the trailer is %q", got.trailer)
	}
	return o
}

// final reads headers up to the one that is no interim answer's.
func (c *http1Client) final(x exchange, proceed *chan<- bool) (head, error) {
	for {
		h, err := readHead(c.in)
		if err != nil {
			return h, err
		}
		switch {
		case strings.HasPrefix(h.line, "HTTP/1.1 100 "):
			if *proceed != nil {
				*proceed <- true
				*proceed = nil
			}
		case strings.HasPrefix(h.line, "HTTP/1.1 103 "):
			if link, err := h.get("Link"); err != nil || link != "</"+strconv.Itoa(x.id)+">" {
				return h, wrong("a 103 is that of %s", link)
			}
			c.counts.hints.Add(1)
		default:
			return h, nil
		}
	}
}

// refusal reads an answer of the program's own.
func (c *http1Client) refusal(x exchange, h head, o outcome) outcome {
	f, size, err := framingOf(h, false)
	if x.method == "HEAD" {
		f = none
	}
	if err == nil {
		var body strings.Builder
		body, err = refusalBody(c.in, f, size)
		o.said = body.String()
	}
	o.err, o.closed = err, o.closed || err != nil || f == closing
	return o
}

func refusalBody(in *bufio.Reader, f framing, size int) (b strings.Builder, err error) {
	switch f {
	case length:
		_, err = io.CopyN(&b, in, int64(size))
	case closing:
		_, err = io.Copy(&b, in)
	case chunked:
		err = wrong("a refusal comes in chunks")
	}
	return b, err
}
