package http1

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
)

const (
	// maxChunkLine bounds a chunk's first line, of which extensions are passed over.
	maxChunkLine = 4 << 10
	// maxOverhead bounds what chunks have of lines, beyond a few bytes for each and
	// twice their content: as net/http does.
	maxOverhead = 16 << 10
	// maxTrailer bounds the lines of the fields behind the content, each of which takes
	// more memory than bytes: it counts for trailerField more (RFC 9113 §6.5.2).
	maxTrailer   = 64 << 10
	trailerField = 32
)

// Body is the content of a message. It is for one goroutine at a time.
type Body struct {
	in       *Reader
	part     bodyPart
	left     int64 // bytes to come of the content, of a chunk, or of the trailer at most
	overhead int64 // of chunks so far
	trailer  http.Header
	err      error
}

type bodyPart int

const (
	sized bodyPart = iota
	untilClose
	chunkSize
	chunkData
	chunkEnd
	trailerLine
	ended
)

// newBody returns the content that comes next from in: chunked, of a length, or of
// length -1 until the source ends.
func newBody(in *Reader, f Framing) Body {
	switch {
	case f.Chunked:
		return Body{in: in, part: chunkSize}
	case f.Length < 0:
		return Body{in: in, part: untilClose}
	case f.Length == 0:
		return Body{in: in, part: ended}
	}
	return Body{in: in, part: sized, left: f.Length}
}

// Ended reports whether all of it has been read.
func (b *Body) Ended() bool { return b.part == ended }

// AtHand reports whether the rest of it has come, as far as that can be told before
// it is read: of content of a known length.
func (b *Body) AtHand() bool {
	return b.part == ended || b.part == sized && b.left <= int64(b.in.Buffered())
}

// Trailer returns the fields behind the content, once that has ended; nil if there
// are none.
func (b *Body) Trailer() http.Header { return b.trailer }

// Read implements [io.Reader]. The last bytes of content come with [io.EOF] where
// nothing has to be waited for to know that they are. A source that ends too early
// is [io.ErrUnexpectedEOF]. After [os.ErrDeadlineExceeded] reading can go on.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.part == ended {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	n := 0
	for n == 0 && b.err == nil {
		n = b.step(p)
	}
	for b.err == nil && b.hasCome(len(p)-n) {
		n += b.step(p[n:]) // in one write, it may be
	}
	err := b.err
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.err = nil
	}
	return n, err
}

// hasCome reports whether of content in chunks the next piece can be read without
// waiting, to where there is room for so many bytes of it.
func (b *Body) hasCome(room int) bool {
	switch b.part {
	case chunkEnd:
		return b.in.Buffered() >= len("\r\n")
	case chunkSize, trailerLine:
		return bytes.IndexByte(b.in.Peek(), '\n') >= 0
	case chunkData:
		return room > 0 && b.in.Buffered() > 0
	}
	return false
}

// step reads the next piece.
func (b *Body) step(p []byte) (n int) {
	switch b.part {
	case untilClose:
		if n, b.err = b.in.Read(p); b.err == io.EOF {
			b.end()
		}
	case sized, chunkData:
		n = b.data(p)
	case chunkSize:
		b.size()
	case chunkEnd:
		b.chunkEnd()
	case trailerLine:
		b.field()
	}
	return n
}

func (b *Body) data(p []byte) int {
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	if b.part == chunkData && b.in.Buffered() == 0 && b.left < bufferSize/2 {
		// The lines behind it come by the same read.
		if err := b.in.Fill(); err != nil {
			b.err = unexpected(err)
			return 0
		}
	}
	n, err := b.in.Read(p)
	b.left -= int64(n)
	switch {
	case b.left == 0 && b.part == sized:
		b.end()
	case b.left == 0:
		b.part = chunkEnd
	case err != nil:
		b.err = unexpected(err)
	}
	return n
}

// chunkEnd reads the CRLF behind a chunk.
func (b *Body) chunkEnd() {
	for {
		p := b.in.Peek()
		switch {
		case len(p) > 0 && p[0] == '\n':
			b.err = errBareLF
		case len(p) > 0 && p[0] != '\r':
			b.err = malformed("a chunk that is longer than it says")
		case len(p) > 1 && p[1] != '\n':
			b.err = errBareCR
		case len(p) > 1:
			b.in.Discard(len("\r\n"))
			b.part = chunkSize
			return
		default:
			b.err = unexpected(b.in.Fill())
		}
		if b.err != nil {
			return
		}
	}
}

// size reads the first line of a chunk.
func (b *Body) size() {
	line, err := b.in.line(maxChunkLine)
	switch {
	case err == ErrTooLarge:
		b.err = malformed("a chunk's line without an end")
		return
	case err != nil:
		b.err = err
		return
	}
	if b.left, b.err = parseChunkSize(line); b.err != nil {
		return
	}
	b.overhead = max(0, b.overhead+int64(len(line)+len("\r\n"))-16-2*min(b.left, maxOverhead))
	if b.overhead > maxOverhead {
		b.err = malformed("chunks with more in their lines than in themselves")
		return
	}
	if b.part = chunkData; b.left == 0 {
		b.part, b.left = trailerLine, maxTrailer
	}
}

// field reads a line of the trailer.
func (b *Body) field() {
	line, err := b.in.line(int(b.left))
	if err != nil {
		b.err = err
		return
	}
	if len(line) == 0 {
		b.in.release()
		b.end()
		return
	}
	b.left -= int64(len(line) + len("\r\n") + trailerField)
	name, value, err := splitField(string(line))
	if err != nil {
		b.err = err
		return
	}
	if b.trailer == nil {
		b.trailer = http.Header{}
	}
	b.trailer[name] = append(b.trailer[name], value)
}

func (b *Body) end() { b.part, b.err = ended, io.EOF }

// unexpected returns err as what it is where more was to come.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseChunkSize reads the size off a chunk's first line. Extensions are passed
// over, but for what RFC 9112 §7.1.1 allows in none.
func parseChunkSize(line []byte) (int64, error) {
	digits, extensions, extended := bytes.Cut(line, []byte(";"))
	if bytes.ContainsFunc(extensions, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return 0, malformed("chunk extension %.40q with a control character", extensions)
	}
	if extended {
		digits = bytes.TrimRight(digits, " \t")
	}
	size, err := strconv.ParseUint(string(digits), 16, 63)
	if err != nil || len(digits) > 16 { // which hold any size, and some readers no more
		return 0, malformed("chunk size %.40q", digits)
	}
	return int64(size), nil
}
