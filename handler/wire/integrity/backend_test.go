package integrity

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// trace is what backends have seen of one exchange.
type trace struct {
	heard  atomic.Int32 // headers that came
	killed atomic.Bool  // with its backend, whatever else was to become of it
	http2  atomic.Bool  // its client speaks it
	mu     sync.Mutex
	story  []string // of all attempts
}

// tell adds to the story.
func (t *trace) tell(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.story = append(t.story, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

func (t *trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.story, ", ")
}

// backend serves HTTP/1.1 with bytes of its own, so that it can break off
// anywhere. It is killed and comes back.
type backend struct {
	*run
	addr  string
	mu    sync.Mutex
	ln    net.Listener
	conns map[*backendConn]bool
	busy  sync.WaitGroup
}

func startBackend(t *testing.T, r *run) *backend {
	t.Helper()
	b := &backend{run: r, addr: "127.0.0.1:0", conns: make(map[*backendConn]bool)}
	if err := b.listen(); err != nil {
		t.Fatal(err)
	}
	b.addr = b.ln.Addr().String()
	t.Cleanup(func() {
		b.kill(false)
		b.busy.Wait()
	})
	return b
}

func (b *backend) listen() error {
	ln, err := net.Listen("tcp", b.addr)
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.ln = ln
	b.mu.Unlock()
	b.busy.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c := &backendConn{Conn: conn, backend: b, in: bufio.NewReaderSize(conn, 4<<10)}
			b.mu.Lock()
			late := b.ln != ln
			b.conns[c] = true
			b.mu.Unlock()
			if late {
				conn.Close()
			}
			b.busy.Go(c.serve)
		}
	})
	return nil
}

// kill ends the listener and all connections.
func (b *backend) kill(reset bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ln != nil {
		b.ln.Close()
		b.ln = nil
	}
	for c := range b.conns {
		c.killed.Store(true)
		b.counts.cut.Add(1)
		id := int(c.current.Load())
		if id == 0 {
			c.end(reset)
			continue
		}
		b.traces[id].killed.Store(true)
		b.traces[id].tell("killed, reset %v", reset)
		c.end(reset || exchangeOf(b.seed, id).down.framing == closing) // which else would be its end
	}
}

type backendConn struct {
	net.Conn
	*backend
	in      *bufio.Reader
	killed  atomic.Bool
	current atomic.Int64 // the last exchange, of which a part may still be under way; 0: none yet
}

// end closes the connection, or resets it.
func (c *backendConn) end(reset bool) {
	if reset {
		c.Conn.(*net.TCPConn).SetLinger(0)
	}
	c.Conn.Close()
}

func (c *backendConn) serve() {
	defer func() {
		c.mu.Lock()
		delete(c.conns, c)
		c.mu.Unlock()
		c.Conn.Close()
	}()
	for {
		h, err := readHead(c.in)
		if err != nil {
			if _, bad := errors.AsType[wrongError](err); bad {
				c.fault("a backend got a request in which %v", err)
			}
			return
		}
		x, attempt, err := c.request(h)
		if err != nil {
			c.fault("a backend got a request in which %v: %q", err, h)
			return
		}
		if !c.exchange(x, h, attempt) {
			return
		}
	}
}

// request returns the exchange that a request belongs to, if it is one.
func (c *backendConn) request(h head) (x exchange, attempt int, err error) {
	method, rest, _ := strings.Cut(h.line, " ")
	target, version, _ := strings.Cut(rest, " ")
	id, err := strconv.Atoi(strings.TrimPrefix(target, "/"))
	if err != nil || id <= 0 || id >= len(c.traces) || version != "HTTP/1.1" {
		return x, 0, wrong("the line is wrong")
	}
	x = exchangeOf(c.seed, id)
	if c.traces[id].http2.Load() {
		x = x.overHTTP2()
	}
	c.current.Store(int64(id))
	if c.killed.Load() {
		c.traces[id].killed.Store(true)
	}
	attempt = int(c.traces[id].heard.Add(1))
	c.traces[id].tell("heard by %s from %s", c.addr, c.RemoteAddr())
	again, err1 := h.get("X-Exchange")
	fill, err2 := h.get("X-Filler")
	host, err3 := h.get("Host")
	switch {
	case errors.Join(err1, err2, err3) != nil:
		return x, attempt, errors.Join(err1, err2, err3)
	case method != x.method || again != strconv.Itoa(id) || host != "integrity.test":
		return x, attempt, wrong("the header is that of %q %q for %q", method, again, host)
	case fill != filler(id, x.up.filler):
		return x, attempt, wrong("the filler has %d bytes, want %d", len(fill), x.up.filler)
	}
	return x, attempt, nil
}

// exchange reads the rest of a request, and answers. It reports whether the
// connection goes on.
func (c *backendConn) exchange(x exchange, h head, attempt int) bool {
	fate := x.fate
	if attempt > 1 && !x.always {
		fate = stays
	}
	if fate == closesAtOnce {
		c.ended()
		return false
	}
	var reading sync.WaitGroup
	whole := true
	receive := func() { whole = c.receive(x, h) }
	if !x.early {
		if h.has("Expect", "100-continue") {
			io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		if receive(); !whole {
			return false
		}
	} else if fate == stays {
		reading.Go(receive)
	}
	time.Sleep(x.delay)
	if x.hints {
		io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </"+strconv.Itoa(x.id)+">\r\n\r\n")
	}
	goesOn := c.answer(x, fate)
	if fate == stays && !goesOn && x.early {
		c.Conn.(*net.TCPConn).CloseWrite() // the end of an answer until the close
	}
	reading.Wait()
	return goesOn && whole && (!x.early || fate == stays)
}

// receive reads the content of a request, and reports whether all of it came.
func (c *backendConn) receive(x exchange, h head) bool {
	f, size, err := framingOf(h, true)
	if err != nil {
		c.fault("a backend got a request in which %v, of %v", err, x)
		return false
	}
	got, err := readContent(c.in, f, size, contentOf(x.id, false), newPacer(x.up.read, x.id))
	c.counts.up.Add(int64(got.size))
	if _, bad := errors.AsType[wrongError](err); bad {
		c.fault("a backend got a request in which %v, of %v", err, x)
	}
	if err != nil {
		c.traces[x.id].tell("broke off amid the content: %v", err)
		return false
	}
	c.traces[x.id].tell("got all")
	if x.leaves == inUpload {
		c.fault("a backend got all of a request that its client has cut: %v", x)
	}
	if got.size != x.up.size {
		c.fault("a backend got %d bytes as a whole request: %v", got.size, x)
	}
	if sum, err := got.trailer.get("X-Sum"); err != nil || x.up.trailer && sum != strconv.Itoa(x.id) || !x.up.trailer && sum != "" {
		c.fault("a backend got a request's trailer %q: %v, of %v\nits backends: %v", got.trailer, h, x, &c.traces[x.id])
	}
	return true
}

// ended counts a connection that may have been closed in the face of a request.
func (c *backendConn) ended() { c.counts.cut.Add(1) }

// answer sends one as fate wants it. It reports whether the connection goes on.
func (c *backendConn) answer(x exchange, fate fate) bool {
	m := x.down
	header := c.header(x, fate)
	if x.bodiless() {
		m.framing, m.size = none, 0
	}
	pieces, most, reset := m.wire(header, x.id, true), -1, false
	total := 0
	for b := range pieces {
		total += len(b)
	}
	r := rand.New(rand.NewPCG(uint64(x.id), 4))
	switch fate {
	case closesBefore:
		most = 0
	case resetsBefore:
		most, reset = 0, true
	case closesInHead:
		most = 1 + r.IntN(len(header)-1)
	case closesInBody, resetsInBody:
		reset = fate == resetsInBody
		most = len(header) + r.IntN(total-len(header))
		if share(r, 40) {
			most = max(len(header), total-1-r.IntN(8)) // all but a chunk's end, or a trailer's
		}
	case resetsAfter:
		reset = true
	case surplus:
		poison := "HTTP/1.1 200 OK\r\nX-Exchange: 999999999\r\nContent-Length: 6\r\n\r\npoison"
		plain := pieces
		pieces = func(yield func([]byte) bool) {
			for b := range plain {
				if !yield(b) {
					return
				}
			}
			yield([]byte(poison[r.IntN(len(poison)-1):]))
		}
	}
	err := errCut
	if most != 0 {
		err = send(c, pieces, m.send, x.id, most)
	}
	c.counts.down.Add(int64(m.size))
	c.traces[x.id].tell("answered: %v", err)
	if err != nil || fate != stays && fate != surplus {
		c.ended()
		c.end(reset)
		return false
	}
	return m.framing != closing || x.bodiless()
}

// header returns the answer's.
func (c *backendConn) header(x exchange, fate fate) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d Status\r\nX-Exchange: %d\r\n", x.status, x.id)
	if x.down.filler > 0 {
		fmt.Fprintf(&b, "X-Filler: %s\r\n", filler(x.id, x.down.filler))
	}
	if fate == says || x.early && fate != stays {
		b.WriteString("Connection: close\r\n")
	}
	switch {
	case x.status == 204:
	case x.down.framing == length:
		fmt.Fprintf(&b, "Content-Length: %d\r\n", x.down.size)
	case x.down.framing == chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n")
		if x.down.trailer {
			b.WriteString("Trailer: X-Sum\r\n")
		}
	}
	b.WriteString("\r\n")
	return b.String()
}
