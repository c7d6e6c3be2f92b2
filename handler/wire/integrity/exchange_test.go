package integrity

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// exchange is what one request and its answer are to be. Its client and the
// backends derive the same from its number, so that each knows what the other
// has sent.
type exchange struct {
	id       int
	version  string // of the client, over HTTP/1
	method   string
	up, down message
	status   int
	expect   bool // Expect: 100-continue
	hints    bool // a 103 before the answer
	early    bool // the backend answers before it reads the body
	paired   bool // the client sends the next request without waiting, if it may
	fate     fate
	always   bool          // the fate is that of each attempt, not of the first alone
	delay    time.Duration // of the backend, before it answers
	leaves   leaving
}

// message is the content of a request or an answer, and how it goes over the wire.
type message struct {
	size    int
	framing framing
	trailer bool // behind chunks
	filler  int  // bytes of a field that only makes the header longer
	send    pace
	read    pace // of the other end
}

type framing int

const (
	none framing = iota // no content, and no length
	length
	chunked
	closing // as long as the connection lasts
)

type pace int

const (
	atOnce    pace = iota
	headFirst      // a pause behind the header
	shreds         // many small writes, cut anywhere
	slow           // pauses
)

// fate is what becomes of the backend's connection.
type fate string

const (
	stays        fate = "kept alive"
	says         fate = "closed, announced"
	closesAtOnce fate = "closed before the body is read"
	closesBefore fate = "closed before the header"
	resetsBefore fate = "reset before the header"
	closesInHead fate = "closed amid the header"
	closesInBody fate = "closed amid the body"
	resetsInBody fate = "reset amid the body"
	closesAfter  fate = "closed when idle"
	resetsAfter  fate = "reset when idle"
	surplus      fate = "more than the answer"
)

// leaving is how a client leaves before its answer is complete.
type leaving int

const (
	never leaving = iota
	inUpload
	inDownload
)

// edges are sizes at which buffers end.
var edges = []int{0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 16383, 16384, 16385, 32767, 32768, 32769, 65535, 65536, 65537}

const kept = 64 << 10 // RETRY_BODY_LIMIT: larger requests are not sent again

// exchangeOf returns the exchange of a number, which is a function of both.
func exchangeOf(seed uint64, id int) exchange {
	r := rand.New(rand.NewPCG(seed, uint64(id)))
	x := exchange{id: id, version: "HTTP/1.1", status: pick(r, 200, 200, 200, 200, 201, 206, 204, 304, 404, 500), fate: stays}
	x.method = pick(r, "GET", "GET", "GET", "GET", "HEAD", "DELETE", "POST", "POST", "POST", "PUT", "PUT", "PATCH")
	x.up, x.down = messageOf(r), messageOf(r)
	switch x.method {
	case "GET", "HEAD", "DELETE":
		x.up.framing, x.up.size, x.up.trailer = none, 0, false
	}
	if x.up.framing == chunked && x.up.size > 1<<20 { // as slow as it is unlikely to say more
		x.up.framing, x.up.trailer = length, false
	}
	x.paired = share(r, 10)
	if share(r, 1) {
		x.version, x.up.trailer, x.down.trailer = "HTTP/1.0", false, false
		if x.up.framing == chunked {
			x.up.framing = length
		}
	} else {
		x.hints = share(r, 3)
		x.expect = x.up.size > 0 && share(r, 10)
		if x.down.framing == length && share(r, 3) {
			x.down.framing = closing
		}
	}
	if share(r, 4) {
		x.delay = time.Duration(r.IntN(40)) * time.Millisecond
	}
	x.early = x.up.size > 0 && share(r, 10)
	switch {
	case share(r, 15):
		x.doom(r)
	case share(r, 2) && x.up.size > 1:
		x.leaves = inUpload
	case share(r, 1) && x.content():
		x.leaves = inDownload
	}
	return x
}

// doom gives the exchange a fate that fits it.
func (x *exchange) doom(r *rand.Rand) {
	x.fate = pick(r, says, closesAtOnce, closesBefore, resetsBefore, closesInHead, closesInBody, resetsInBody, closesAfter, resetsAfter, surplus)
	x.always = share(r, 30)
	if x.early { // the backend closes with unread bytes, which is a reset: nothing may be under way
		x.down.size, x.down.send = min(x.down.size, 4096), atOnce
		if x.down.framing == closing { // whose end would be one
			x.down.framing = length
		}
	}
	switch x.fate {
	case closesInBody, resetsInBody:
		if !x.content() {
			x.fate = closesBefore
		}
		if x.down.framing == closing { // whose end is no fault
			x.down.framing = length
		}
	case closesAfter, resetsAfter, surplus: // must not be held up behind the answer
		x.down.size = min(x.down.size, 4096)
		x.down.send = atOnce
		if x.down.framing == closing {
			x.down.framing = length
		}
	case closesAtOnce:
		x.expect = false
	}
}

// content reports whether the answer has one of at least a byte.
func (x *exchange) content() bool {
	return x.method != "HEAD" && x.status != http.StatusNoContent && x.status != http.StatusNotModified && x.down.size > 0
}

// bodiless reports whether no content follows the answer's header.
func (x *exchange) bodiless() bool {
	return x.method == "HEAD" || x.status == http.StatusNoContent || x.status == http.StatusNotModified
}

// idempotent reports whether the proxy may make another attempt when a backend
// has heard of one.
func (x *exchange) idempotent() bool { return x.method != "POST" && x.method != "PATCH" }

// repeatable reports whether it is also able to, whatever it has sent of the
// request.
func (x *exchange) repeatable() bool { return x.idempotent() && x.up.size <= kept }

// overHTTP2 returns the exchange as clients of HTTP/2 make it: their requests have
// no trailers. When one comes for a stream that was answered in the meantime,
// net/http ends the connection and loses all other requests on it.
func (x exchange) overHTTP2() exchange {
	x.up.trailer = false
	return x
}

// before reports whether the fate comes before an answer's header is complete.
func (f fate) before() bool {
	switch f {
	case closesAtOnce, closesBefore, resetsBefore, closesInHead:
		return true
	}
	return false
}

// within reports whether the fate comes before the answer's content is complete.
func (f fate) within() bool { return f == closesInBody || f == resetsInBody }

func messageOf(r *rand.Rand) message {
	m := message{framing: pick(r, length, length, chunked), filler: pick(r, 0, 0, 0, r.IntN(300), r.IntN(6000))}
	switch n := r.IntN(1000); {
	case n < 2:
		m.size = 5_000_000
	case n < 10:
		m.size = 1 << 20
	case n < 50:
		m.size = r.IntN(256 << 10)
	case n < 400:
		m.size = pick(r, edges...)
	default:
		m.size = r.IntN(2048)
	}
	m.trailer = m.framing == chunked && share(r, 30)
	paces := []pace{atOnce, atOnce, atOnce, atOnce, atOnce, atOnce, headFirst, shreds}
	m.send, m.read = pick(r, paces...), pick(r, paces...)
	if share(r, 2) {
		m.send = slow
	}
	if share(r, 2) {
		m.read = slow
	}
	return m
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func share(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

// noise is what contents are cut from. Its length is prime, so that no place in
// it is at the same distance from all buffers' ends.
var noise = func() []byte {
	b := make([]byte, 1048583)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return append(b, b[:64<<10]...) // so that a piece may begin anywhere
}()

const turn = 1048583

// content is what a message of one exchange consists of. Both ends know each
// byte of it, which shows more than a hash: where the first wrong one is.
type content struct{ at, start int }

func contentOf(id int, answer bool) *content {
	start := id * 7919 % turn // another place for each
	if answer {
		start = (start + turn/2) % turn
	}
	return &content{start, start}
}

// next returns the following n bytes, or fewer.
func (c *content) next(n int) []byte {
	n = min(n, 64<<10)
	from := c.at % turn
	c.at += n
	return noise[from : from+n]
}

// check fails unless p is what follows.
func (c *content) check(p []byte) error {
	for len(p) > 0 {
		at := c.at - c.start
		want := c.next(len(p))
		if !bytes.Equal(p[:len(want)], want) {
			i := 0
			for p[i] == want[i] {
				i++
			}
			return wrong("byte %d of the content is wrong: %x, want %x", at+i, p[i:min(i+16, len(want))], want[i:min(i+16, len(want))])
		}
		p = p[len(want):]
	}
	return nil
}

// filler returns what only makes a header longer, another one for each exchange.
func filler(id, n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%0*d", n, id)
}

// wrongError is what must not have come, whatever has broken.
type wrongError string

func (e wrongError) Error() string { return string(e) }

func wrong(format string, args ...any) error { return wrongError(fmt.Sprintf(format, args...)) }

func (x exchange) String() string {
	return fmt.Sprintf("%d: %s %s, up %v, status %d, down %v, %s, always %v, early %v, expect %v, hints %v, leaves %d", x.id, x.version, x.method, x.up, x.status, x.down, x.fate, x.always, x.early, x.expect, x.hints, x.leaves)
}

func (m message) String() string {
	return strconv.Itoa(m.size) + [...]string{" none", " by length", " in chunks", " until the close"}[m.framing] +
		[...]string{"", ", header first", ", in shreds", ", slowly"}[m.send] + map[bool]string{true: ", trailer"}[m.trailer]
}
