package framing

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

// follower reads along where one direction of a connection is. What it is not
// content with, it notes in err. It is not safe for concurrent use.
type follower struct {
	err   error
	in    part
	line  []byte // the beginning of a line that came in pieces
	left  int64  // bytes to come of a body or chunk, lines of a preface
	head  head
	begun int // requests of which a byte has been read
	http2 *http2
}

// http2 is what is known of a connection behind the preface of HTTP/2.
type http2 struct {
	in, out  frames
	patience patience
	end      error // why there is nothing more to read

	settled bool // the server's first frame, that of settings, has begun
	fields  bool // a field block of the server's goes on with the next frame
	leaving bool // the server has said by itself that it leaves
}

func followRequests() *follower { return &follower{in: beforeRequest} }

// inBody reports whether a message's header has been read, and its end has not.
func (f *follower) inBody() bool { return f.in >= content }

// inHeaderFrames reports the like of a header of HTTP/2.
func (f *follower) inHeaderFrames() bool { return f.http2 != nil && f.http2.in.inHeader() }

// part is the part of a message that the next byte belongs to.
type part int

const (
	unread        part = iota // the rest passes as it is
	inFrames                  // so does HTTP/2, of which frames are counted
	beforeRequest             // an empty line may precede a request
	emptyLine                 // the CR of that line has been read
	prefaceLine               // of the rest of HTTP/2's preface
	startLine
	fieldLine
	content
	chunkSize
	chunkData
	chunkEnd
	trailerLine
)

// maxLine bounds what is held of a line that comes in pieces. net/http gives
// up on a header long before.
const maxLine = 1 << 20

// follow reads p, and moves what net/http may see of it to its front: all but
// the one empty line that RFC 9112 §2.2 asks a server to ignore before a
// request, up to what is not well-framed. It returns how much that is.
func (f *follower) follow(p []byte) int {
	kept := 0
	for at := 0; at < len(p) && f.err == nil; {
		n, keep := f.step(p[at:])
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
func (f *follower) step(p []byte) (n int, keep bool) {
	switch f.in {
	case unread:
		return len(p), true
	case inFrames:
		n, f.err = f.http2.in.follow(p, f.http2.patience.received)
		return n, true
	case beforeRequest:
		if p[0] == '\r' {
			f.in = emptyLine
			return 1, false
		}
		f.in = startLine
		f.begun++
	case emptyLine:
		f.in = startLine
		f.begun++
		if p[0] != '\n' {
			f.err = malformed("a bare CR")
		}
		return 1, false
	case content, chunkData:
		n := min(f.left, int64(len(p)))
		if f.left -= n; f.left == 0 && f.in == content {
			f.end()
		} else if f.left == 0 {
			f.in = chunkEnd
		}
		return int(n), true
	case chunkSize:
		// RFC 9112 §7.1.1 has blanks before an extension read, and net/http does not.
		if at := bytes.IndexAny(p, "; \t\n"); at >= 0 && p[at] != '\n' && bytes.IndexByte(f.line, ';') < 0 {
			if at == 0 && p[0] != ';' {
				n := len(p) - len(bytes.TrimLeft(p, " \t"))
				f.hold(p[:n])
				return n, false
			}
			f.hold(p[:max(at, 1)])
			return max(at, 1), f.err == nil
		}
	case fieldLine:
		if f.head.http10 {
			f.blankExpectation(p)
		}
	}
	return f.readPiece(p)
}

// readPiece reads of p what is left of a line.
func (f *follower) readPiece(p []byte) (n int, keep bool) {
	end := bytes.IndexByte(p, '\n') + 1
	if end == 0 {
		f.hold(p)
		return len(p), f.err == nil
	}
	line := p[:end]
	if len(f.line) > 0 {
		f.line = append(f.line, line...)
		line = f.line
	}
	// Of a kept connection that has sent nothing net/http takes no error to answer.
	keep = f.in == startLine
	f.err = f.readLine(line)
	f.line = f.line[:0]
	return end, keep || f.err == nil
}

// blankExpectation takes the value out of an Expect field of which p is a piece.
// HTTP/1.0 has no expectations (RFC 9110 §10.1.1), and net/http answers those
// that it does not know with 417.
func (f *follower) blankExpectation(p []byte) {
	const name = "Expect:"
	var begun [len(name)]byte
	held := copy(begun[:], f.line)
	copy(begun[held:], p)
	if !bytes.EqualFold(begun[:], []byte(name)) {
		return
	}
	for i := len(name) - held; i < len(p) && p[i] != '\r' && p[i] != '\n'; i++ {
		p[i] = ' '
	}
}

// hold keeps a piece of a line until its end comes.
func (f *follower) hold(p []byte) {
	if f.line = append(f.line, p...); len(f.line) > maxLine {
		f.err = malformed("a line without an end")
	}
}

// readLine takes a whole line, its end included.
func (f *follower) readLine(line []byte) error {
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return malformed("a line that ends in a bare LF")
	}
	line = line[:len(line)-2]
	if bytes.IndexByte(line, '\r') >= 0 {
		return malformed("a bare CR")
	}
	switch f.in {
	case prefaceLine:
		return f.prefaceLine(line)
	case startLine:
		f.head = head{}
		f.in = fieldLine
		return f.requestLine(line)
	case fieldLine:
		if len(line) == 0 {
			return f.endOfRequestHead()
		}
		return f.head.field(line)
	case chunkSize:
		size, err := parseChunkSize(line)
		if err != nil {
			return err
		}
		f.left, f.in = size, chunkData
		if size == 0 {
			f.in = trailerLine
		}
	case chunkEnd:
		if len(line) > 0 {
			return malformed("a chunk that is longer than it says")
		}
		f.in = chunkSize
	case trailerLine:
		if len(line) == 0 {
			f.end()
			return nil
		}
		_, _, err := splitField(line)
		return err
	}
	return nil
}

func (f *follower) requestLine(line []byte) error {
	f.head.http10 = bytes.HasSuffix(line, []byte(" HTTP/1.0"))
	switch {
	case string(line) == "PRI * HTTP/2.0":
		if f.begun > 1 {
			return malformed("an HTTP/2 preface behind a request")
		}
		f.in, f.left = prefaceLine, int64(len(prefaceLines))
		return nil
	}
	return checkRequestLine(line)
}

// prefaceLines follow the first line of HTTP/2's preface, RFC 9113 §3.4.
var prefaceLines = [...]string{"", "SM", ""}

// prefaceLine takes the next line of a preface. Only behind a whole one do
// frames come: net/http takes any other for a request.
func (f *follower) prefaceLine(line []byte) error {
	if string(line) != prefaceLines[len(prefaceLines)-int(f.left)] {
		return malformed("an HTTP/2 preface that is not whole")
	}
	if f.left--; f.left == 0 {
		f.in, f.http2 = inFrames, new(http2)
	}
	return nil
}

func (f *follower) endOfRequestHead() error {
	if err := f.head.ambiguous(); err != nil {
		return err
	}
	switch {
	case f.head.hosts > 1:
		return malformed("more than one Host")
	case f.head.chunked && !f.head.codings.endChunked():
		return malformed("a Transfer-Encoding that does not end in chunked")
	}
	switch {
	case f.head.chunked:
		f.in = chunkSize
	case f.head.length > 0:
		f.left, f.in = f.head.length, content
	case f.head.upgrade && !f.head.http10:
		f.in = unread
	default:
		f.end()
	}
	return nil
}

// end gets ready for another message.
func (f *follower) end() {
	f.in = beforeRequest
	if cap(f.line) > 4<<10 {
		f.line = nil // one large header is no reason to hold on to its size
	}
}

// Switches reports whether an Upgrade field offers a protocol that the
// connection may be switched to. HTTP/2 is not one: behind such a switch
// requests would pass unseen.
func Switches(upgrade string) bool {
	upgrade = strings.Trim(upgrade, " \t")
	return upgrade != "" && !strings.EqualFold(upgrade, "h2c")
}

// OffersSwitch reports whether r is one after which its connection passes
// unread. Unless it is upgraded, it must not carry another request. HTTP/1.0
// knows no switches (RFC 9110 §7.8).
func OffersSwitch(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.ProtoMinor > 0 && slices.ContainsFunc(r.Header["Upgrade"], Switches)
}
