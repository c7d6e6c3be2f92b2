// Package framing answers: can this HTTP/1 message be understood in one way
// only?
//
// RFC 9112 lets readers take some messages in two ways, and net/http takes them
// in one of the two: both kinds of length (§6.1), folded lines (§5.2), lines
// that end in a bare LF or hold a bare CR (§2.2), sloppy chunks (§7.1). Where
// the other end takes them in the other, a request or a response can be
// smuggled past the proxy. The connections of this package stand between the
// network and net/http: they pass well-framed messages on as they are, and
// fail to read any other.
package framing

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Listener returns ln with [Requests] around each connection.
func Listener(ln net.Listener) net.Listener { return listener{ln} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Requests(conn), nil
}

// Requests returns conn, on which requests arrive. A read that comes upon one
// that is not well-framed fails, which net/http's server answers with 400 and
// the end of the connection. HTTP/2, and what follows a request that
// [OffersSwitch], passes unread.
func Requests(conn net.Conn) net.Conn {
	c := &checked{Conn: conn, in: beforeRequest}
	c.startLine, c.endOfHead, c.next = c.requestLine, c.endOfRequestHead, beforeRequest
	return c
}

// Responses returns conn, on which responses arrive to what is written to it.
// It must be used as net/http's transport does: one request at a time.
func Responses(conn net.Conn) net.Conn {
	c := &checked{Conn: conn, in: idle}
	c.startLine, c.endOfHead, c.next = c.statusLine, c.endOfResponseHead, idle
	return responses{c}
}

// responses notes which responses have no body because of what was asked.
type responses struct{ *checked }

func (r responses) Write(p []byte) (int, error) {
	r.mu.Lock()
	if r.in == idle || r.in == startLine && len(r.line) == 0 {
		r.in = startLine
		r.noBody = bytes.HasPrefix(p, []byte("HEAD "))
	}
	r.mu.Unlock()
	return r.Conn.Write(p)
}

// checked is a connection whose incoming messages are followed as they pass.
type checked struct {
	net.Conn
	startLine func(line []byte) error
	endOfHead func() error
	next      part // what follows a message

	mu     sync.Mutex
	err    error
	in     part
	line   []byte // the beginning of a line that came in pieces
	left   int64  // bytes to come of a body or chunk
	head   head
	noBody bool // the response to come is one to HEAD
	seen   bool // a request has been read
}

// part is the part of a message that the next byte belongs to.
type part int

const (
	unread        part = iota // the rest passes as it is
	idle                      // no message is expected
	beforeRequest             // an empty line may precede a request
	emptyLine                 // the CR of that line has been read
	startLine
	fieldLine
	content
	chunkSize
	chunkData
	chunkEnd
	trailerLine
)

// head is what the lines so far say of a message's framing.
type head struct {
	status                          int // of a response
	http10, chunked, sized, upgrade bool
	length                          int64
}

// maxLine bounds what is held of a line that comes in pieces. net/http gives
// up on a header long before.
const maxLine = 1 << 20

func (c *checked) Read(p []byte) (int, error) {
	for {
		if err := c.fault(); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(p)
		if n = c.follow(p[:n]); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

func (c *checked) fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// CloseWrite ends the sending direction. net/http's server looks for it, to let
// a client read the answer before it closes.
func (c *checked) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// follow reads p, and moves what net/http may see of it to its front: all but
// the one empty line that RFC 9112 §2.2 asks a server to ignore before a
// request, up to what is not well-framed. It returns how much that is.
func (c *checked) follow(p []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
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
func (c *checked) step(p []byte) (n int, keep bool) {
	switch c.in {
	case unread, idle: // what comes while idle is the transport's to refuse
		return len(p), true
	case beforeRequest:
		if p[0] == '\r' {
			c.in = emptyLine
			return 1, false
		}
		c.in = startLine
	case emptyLine:
		if c.in = startLine; p[0] != '\n' {
			c.err = malformed("a bare CR")
		}
		return 1, false
	case content, chunkData:
		n := min(c.left, int64(len(p)))
		if c.left -= n; c.left == 0 && c.in == content {
			c.end()
		} else if c.left == 0 {
			c.in = chunkEnd
		}
		return int(n), true
	}
	end := bytes.IndexByte(p, '\n') + 1
	if end == 0 {
		if c.line = append(c.line, p...); len(c.line) > maxLine {
			c.err = malformed("a line without an end")
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
func (c *checked) readLine(line []byte) error {
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return malformed("a line that ends in a bare LF")
	}
	line = line[:len(line)-2]
	if bytes.IndexByte(line, '\r') >= 0 {
		return malformed("a bare CR")
	}
	switch c.in {
	case startLine:
		c.head = head{}
		c.in = fieldLine
		return c.startLine(line)
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
			return malformed("a chunk that is longer than it says")
		}
		c.in = chunkSize
	case trailerLine:
		if len(line) == 0 {
			c.end()
			return nil
		}
		return unfolded(line)
	}
	return nil
}

func (c *checked) requestLine(line []byte) error {
	if !c.seen && string(line) == "PRI * HTTP/2.0" {
		c.in = unread
		return nil
	}
	c.seen = true
	c.head.http10 = bytes.HasSuffix(line, []byte(" HTTP/1.0"))
	return nil
}

func (c *checked) endOfRequestHead() error {
	if err := c.head.ambiguous(); err != nil {
		return err
	}
	switch {
	case c.head.chunked:
		c.in = chunkSize
	case c.head.length > 0:
		c.left, c.in = c.head.length, content
	case c.head.upgrade:
		c.in = unread
	default:
		c.end()
	}
	return nil
}

func (c *checked) statusLine(line []byte) error {
	version, rest, _ := bytes.Cut(line, []byte(" "))
	code, _, _ := bytes.Cut(rest, []byte(" "))
	status, err := strconv.ParseUint(string(code), 10, 16)
	if string(version) != "HTTP/1.1" && string(version) != "HTTP/1.0" || err != nil || len(code) != 3 || status < 100 {
		return malformed("status line %.40q", line)
	}
	c.head.status, c.head.http10 = int(status), string(version) == "HTTP/1.0"
	return nil
}

// endOfResponseHead follows RFC 9112 §6.3.
func (c *checked) endOfResponseHead() error {
	if err := c.head.ambiguous(); err != nil {
		return err
	}
	switch status := c.head.status; {
	case status == http.StatusSwitchingProtocols:
		c.in = unread
	case status < 200:
		c.in = startLine
	case c.noBody, status == http.StatusNoContent, status == http.StatusNotModified:
		c.end()
	case c.head.chunked:
		c.in = chunkSize
	case c.head.length > 0:
		c.left, c.in = c.head.length, content
	case c.head.sized:
		c.end()
	default:
		c.in = unread // until the connection ends
	}
	return nil
}

// ambiguous returns an error for a head whose message could end in two places.
func (h *head) ambiguous() error {
	switch {
	case h.chunked && h.sized:
		return malformed("both Content-Length and Transfer-Encoding")
	case h.chunked && h.http10:
		return malformed("Transfer-Encoding in HTTP/1.0")
	}
	return nil
}

// end gets ready for another message.
func (c *checked) end() {
	c.in = c.next
	if cap(c.line) > 4<<10 {
		c.line = nil // one large header is no reason to hold on to its size
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
			h.upgrade = h.upgrade || Switches(string(value))
		}
	case len("Content-Length"):
		if !bytes.EqualFold(name, []byte("Content-Length")) {
			break
		}
		length, err := strconv.ParseUint(string(bytes.Trim(value, " \t")), 10, 63)
		if err != nil || h.sized && int64(length) != h.length {
			return malformed("Content-Length %.40q", value)
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
		return malformed("a folded line")
	}
	return nil
}

// parseChunkSize reads the size off a chunk's first line. Extensions are passed
// over.
func parseChunkSize(line []byte) (int64, error) {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	size, err := strconv.ParseUint(string(digits), 16, 63)
	if err != nil {
		return 0, malformed("chunk size %.40q", digits)
	}
	return int64(size), nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("malformed message: "+format, args...)
}

// Switches reports whether an Upgrade field offers a protocol that the
// connection may be switched to. HTTP/2 is not one: behind such a switch
// requests would pass unseen.
func Switches(upgrade string) bool {
	upgrade = strings.Trim(upgrade, " \t")
	return upgrade != "" && !strings.EqualFold(upgrade, "h2c")
}

// OffersSwitch reports whether r is one after which its connection passes
// unread. Unless it is upgraded, it must not carry another request.
func OffersSwitch(r *http.Request) bool {
	for _, upgrade := range r.Header["Upgrade"] {
		if r.ProtoMajor == 1 && Switches(upgrade) {
			return true
		}
	}
	return false
}
