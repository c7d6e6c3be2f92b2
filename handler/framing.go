package handler

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// strictListener accepts connections of which only well-framed HTTP/1 gets
// through to net/http.
type strictListener struct{ net.Listener }

func (l strictListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &strictConn{Conn: conn}, nil
}

// strictConn reads ahead of net/http what RFC 9112 lets two readers understand
// in two ways, and which net/http takes in one of them: both kinds of length
// (§6.1), folded lines (§5.2), lines that end in a bare LF or hold a bare CR
// (§2.2), sloppy chunks (§7.1). Wherever a backend, or a proxy on the way here,
// takes it in the other, a request can be smuggled past the policies. Read then
// fails, which net/http answers with 400 and the end of the connection.
//
// Connections of HTTP/2, and those that asked for an upgrade, pass unread from
// there on; see [switches].
type strictConn struct {
	net.Conn
	off atomic.Bool // set by the reader, read by whoever hijacks
	err error

	in   part
	line []byte // the beginning of a line that came in pieces
	left int64  // bytes to come of a body or chunk
	head head
	seen bool // a request has been read
}

// part is the part of a message that the next byte belongs to.
type part int

const (
	beforeRequest part = iota // an empty line may precede a request
	emptyLine                 // the CR of that line has been read
	requestLine
	fieldLine
	content
	chunkSize
	chunkData
	chunkEnd
	trailerLine
)

// head is what the lines so far say of a request's framing.
type head struct {
	http10, chunked, sized, upgrade bool
	length                          int64
}

// maxLine bounds what is held of a line that comes in pieces. net/http gives
// up on a header long before.
const maxLine = 1 << 20

func (c *strictConn) Read(p []byte) (int, error) {
	for c.err == nil && !c.off.Load() {
		n, err := c.Conn.Read(p)
		if n = c.follow(p[:n]); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
	if c.err != nil {
		return 0, c.err
	}
	return c.Conn.Read(p)
}

// CloseWrite ends the sending direction. net/http looks for it to let a client
// read an answer that it sent before it closes.
func (c *strictConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// follow reads p, and moves what net/http may see of it to its front: all but
// the one empty line that RFC 9112 §2.2 asks a server to ignore before a
// request, up to what is not well-framed. It returns how much that is.
func (c *strictConn) follow(p []byte) int {
	kept := 0
	for at := 0; at < len(p) && c.err == nil; {
		n, keep := c.step(p[at:])
		if keep {
			if kept != at {
				copy(p[kept:], p[at:at+n])
			}
			kept += n
		}
		at += n
	}
	return kept
}

// step reads a piece of p of at least one byte, and reports whether net/http
// may see it.
func (c *strictConn) step(p []byte) (n int, keep bool) {
	switch {
	case c.off.Load():
		return len(p), true
	case c.in == beforeRequest && p[0] == '\r':
		c.in = emptyLine
		return 1, false
	case c.in == emptyLine:
		if c.in = requestLine; p[0] != '\n' {
			c.err = malformedRequest("a bare CR")
		}
		return 1, false
	case c.in == content || c.in == chunkData:
		n := min(c.left, int64(len(p)))
		if c.left -= n; c.left == 0 && c.in == content {
			c.next()
		} else if c.left == 0 {
			c.in = chunkEnd
		}
		return int(n), true
	}
	if c.in == beforeRequest {
		c.in = requestLine
	}
	end := bytes.IndexByte(p, '\n') + 1
	if end == 0 {
		if c.line = append(c.line, p...); len(c.line) > maxLine {
			c.err = malformedRequest("a line without an end")
		}
		return len(p), c.err == nil
	}
	line := p[:end]
	if len(c.line) > 0 {
		c.line = append(c.line, line...)
		line = c.line
	}
	c.err = c.readLine(line)
	c.line = c.line[:0]
	return end, c.err == nil
}

// readLine takes a whole line, its end included.
func (c *strictConn) readLine(line []byte) error {
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return malformedRequest("a line that ends in a bare LF")
	}
	line = line[:len(line)-2]
	if bytes.IndexByte(line, '\r') >= 0 {
		return malformedRequest("a bare CR")
	}
	switch c.in {
	case requestLine:
		if !c.seen && string(line) == "PRI * HTTP/2.0" {
			c.off.Store(true)
			return nil
		}
		c.seen = true
		c.head = head{http10: bytes.HasSuffix(line, []byte(" HTTP/1.0"))}
		c.in = fieldLine
	case fieldLine:
		if len(line) == 0 {
			return c.endOfHead()
		}
		return c.head.field(line)
	case chunkSize:
		size, err := parseChunkSize(line)
		if err != nil {
			return err
		}
		c.left, c.in = size, chunkData
		if size == 0 {
			c.in = trailerLine
		}
	case chunkEnd:
		if len(line) > 0 {
			return malformedRequest("a chunk that is longer than it says")
		}
		c.in = chunkSize
	case trailerLine:
		if len(line) == 0 {
			c.next()
			return nil
		}
		return unfolded(line)
	}
	return nil
}

// endOfHead decides what follows a header.
func (c *strictConn) endOfHead() error {
	switch {
	case c.head.chunked && c.head.sized:
		return malformedRequest("both Content-Length and Transfer-Encoding")
	case c.head.chunked && c.head.http10:
		return malformedRequest("Transfer-Encoding in HTTP/1.0")
	case c.head.chunked:
		c.in = chunkSize
	case c.head.length > 0:
		c.left, c.in = c.head.length, content
	case c.head.upgrade:
		c.off.Store(true)
	default:
		c.next()
	}
	return nil
}

// next gets ready for another request.
func (c *strictConn) next() {
	c.in = beforeRequest
	if cap(c.line) > 4<<10 {
		c.line = nil // one large request is no reason to hold on to its size
	}
}

// field notes what a field line says of the framing.
func (h *head) field(line []byte) error {
	if err := unfolded(line); err != nil {
		return err
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch len(name) {
	case len("Upgrade"):
		if bytes.EqualFold(name, []byte("Upgrade")) {
			h.upgrade = h.upgrade || switches(string(value))
		}
	case len("Content-Length"):
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			break
		}
		length, err := strconv.ParseUint(string(bytes.Trim(value, " \t")), 10, 63)
		if err != nil || h.sized && int64(length) != h.length {
			return malformedRequest("Content-Length %.40q", value)
		}
		h.sized, h.length = true, int64(length)
	case len("Transfer-Encoding"):
		// Other codings than chunked are net/http's to refuse.
		h.chunked = h.chunked || bytes.EqualFold(name, []byte("Transfer-Encoding"))
	}
	return nil
}

func unfolded(line []byte) error {
	if line[0] == ' ' || line[0] == '\t' {
		return malformedRequest("a folded line")
	}
	return nil
}

// parseChunkSize reads the size off a chunk's first line. Extensions are passed
// over.
func parseChunkSize(line []byte) (int64, error) {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	size, err := strconv.ParseUint(string(digits), 16, 63)
	if err != nil {
		return 0, malformedRequest("chunk size %.40q", digits)
	}
	return int64(size), nil
}

func malformedRequest(format string, args ...any) error {
	return fmt.Errorf("malformed request: "+format, args...)
}

// switches reports whether an Upgrade field offers a protocol that the
// connection may be switched to here. HTTP/2 is not one: behind such a switch
// requests would pass unseen.
func switches(upgrade string) bool {
	upgrade = strings.Trim(upgrade, " \t")
	return upgrade != "" && !strings.EqualFold(upgrade, "h2c")
}

// offersSwitch reports whether r is one after which its connection passes
// unread. Unless it is upgraded, it must not carry another request.
func offersSwitch(r *http.Request) bool {
	for _, upgrade := range r.Header["Upgrade"] {
		if r.ProtoMajor == 1 && switches(upgrade) {
			return true
		}
	}
	return false
}
