package http1

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// bufferSize holds most heads, and what comes with them of a body.
const bufferSize = 4 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// ErrTooLarge is why a head is not read whose bytes or fields are more than allowed.
var ErrTooLarge = errors.New("a header that is too large")

const (
	errBareLF = Malformed("a line that ends in a bare LF")
	errBareCR = Malformed("a bare CR")
)

// Reader reads messages off a connection. It holds memory only while there is
// something in it that nobody has read, or [Reader.Fill] waits, so that an idle
// connection needs none. It is for one goroutine at a time.
type Reader struct {
	src    io.Reader
	filler Filler            // src, or nil
	pooled *[bufferSize]byte // nil: buf is none, or larger than those
	buf    []byte
	r, w   int // what is between them has not been read
}

// NewReader returns a reader of what comes from src, which may be a [Filler].
func NewReader(src io.Reader) *Reader {
	filler, _ := src.(Filler)
	return &Reader{src: src, filler: filler}
}

// Buffered returns how many bytes have come that nobody has read.
func (r *Reader) Buffered() int { return r.w - r.r }

// Peek returns what has come that nobody has read. It is valid until the next call
// of another method.
func (r *Reader) Peek() []byte { return r.buf[r.r:r.w] }

// Discard drops the next n bytes, which have come.
func (r *Reader) Discard(n int) {
	r.r += n
	r.release()
}

// Fill waits for more to come, by one read. Its error is that of the source; none
// means that there is at least one more byte. The memory grows as long as nobody
// reads what has come.
func (r *Reader) Fill() error {
	if r.filler != nil && r.r == r.w {
		r.release() // of a line that has been read
		return r.filler.Fill(r)
	}
	r.room()
	for range 100 {
		n, err := r.src.Read(r.buf[r.w:])
		if r.w += n; n > 0 {
			return nil
		}
		if err != nil {
			r.release()
			return err
		}
	}
	r.release()
	return io.ErrNoProgress
}

// Put adds to what has come, as if it had been read from the source.
func (r *Reader) Put(p []byte) {
	for len(p) > 0 {
		r.room()
		n := copy(r.buf[r.w:], p)
		r.w += n
		p = p[n:]
	}
}

// room makes some for what comes next.
func (r *Reader) room() {
	r.release() // of a line that has been read
	switch {
	case r.buf == nil:
		r.pooled = buffers.Get().(*[bufferSize]byte)
		r.buf = r.pooled[:]
	case r.r > 0 && r.w > len(r.buf)/2:
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	case r.w < len(r.buf):
	default:
		larger := make([]byte, 2*len(r.buf))
		copy(larger, r.buf)
		r.drop()
		r.buf = larger
	}
}

// release gives the memory back if there is nothing in it.
func (r *Reader) release() {
	if r.r == r.w && r.buf != nil {
		r.drop()
		r.buf, r.r, r.w = nil, 0, 0
	}
}

func (r *Reader) drop() {
	if r.pooled != nil {
		spoil(r.pooled[:])
		buffers.Put(r.pooled)
		r.pooled = nil
	}
}

// Read implements [io.Reader].
func (r *Reader) Read(p []byte) (int, error) {
	if r.r == r.w {
		r.release()
		return r.src.Read(p)
	}
	n := copy(p, r.buf[r.r:r.w])
	r.r += n
	r.release()
	return n, nil
}

// Head reads the first line of a message and its field lines, and returns them with
// the empty line behind them. An error is [Malformed] where a line does not end in
// CRLF or holds a CR elsewhere, [ErrTooLarge] beyond limit bytes, [io.EOF] if the
// source ends before the first byte, [io.ErrUnexpectedEOF] if it does later, and else
// the source's.
func (r *Reader) Head(limit int) (string, error) {
	return r.head(limit, func(string) error { return nil })
}

// head is [Reader.Head]. What check says of the first line goes before what is wrong
// with the others, and before waiting for them: who speaks another protocol may send
// no more.
func (r *Reader) head(limit int, check func(first string) error) (string, error) {
	lines, checked := scan{}, false
	for {
		whole, err := lines.look(r.Peek(), limit)
		if whole {
			head := string(r.buf[r.r : r.r+lines.end])
			r.Discard(len(head))
			return head, nil
		}
		if lines.end > 0 && !checked {
			first, _, _ := bytes.Cut(r.Peek(), []byte("\r\n"))
			if err := check(string(first)); err != nil {
				return "", err
			}
			checked = true
		}
		if err != nil {
			return "", err
		}
		before := r.Buffered()
		if err := r.Fill(); err != nil {
			if before > 0 {
				err = unexpected(err)
			}
			return "", err
		}
	}
}

// scan is how much has been looked at of a head.
type scan struct {
	end  int // of its last line that is whole
	seen int // there is no further LF before
}

// look goes on with p, the head as far as it has come, and reports whether it is
// whole.
func (s *scan) look(p []byte, limit int) (whole bool, err error) {
	for {
		at := bytes.IndexByte(p[s.seen:], '\n') + 1
		if s.seen += at; at == 0 {
			s.seen = len(p)
		}
		if s.seen > limit {
			return false, ErrTooLarge
		}
		if at == 0 {
			return false, nil
		}
		line, first := p[s.end:s.seen], s.end == 0
		if err := checkLine(line); err != nil {
			return false, err
		}
		s.end = s.seen
		if len(line) == len("\r\n") && !first {
			return true, nil
		}
	}
}

// line reads one line of no more than limit bytes, and returns it without its end.
// What it returns is valid until the next call of a method.
func (r *Reader) line(limit int) ([]byte, error) {
	for seen := 0; ; {
		if at := bytes.IndexByte(r.buf[r.r+seen:r.w], '\n'); at >= 0 {
			n := seen + at + 1
			if n > limit {
				return nil, ErrTooLarge
			}
			line := r.buf[r.r : r.r+n]
			r.r += n // not released: the line is still there
			return line[:n-min(n, 2)], checkLine(line)
		}
		if seen = r.Buffered(); seen > limit {
			return nil, ErrTooLarge
		}
		if err := r.Fill(); err != nil {
			return nil, unexpected(err)
		}
	}
}

// checkLine returns what is wrong with the end of line, which has an LF there.
func checkLine(line []byte) error {
	cr := bytes.IndexByte(line, '\r')
	switch {
	case cr < 0 || cr == len(line)-1:
		return errBareLF
	case cr != len(line)-2:
		return errBareCR
	}
	return nil
}
