package integrity

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"
)

// head is a request's or an answer's header as it came.
type head struct {
	line   string
	fields [][2]string
}

// get returns the value of a field that may come once, and fails if it comes
// again.
func (h head) get(name string) (string, error) {
	value, n := "", 0
	for _, f := range h.fields {
		if strings.EqualFold(f[0], name) {
			value = f[1]
			n++
		}
	}
	if n > 1 {
		return "", wrong("%s comes %d times", name, n)
	}
	return value, nil
}

// has reports whether a list has an element.
func (h head) has(name, element string) bool {
	for _, f := range h.fields {
		if strings.EqualFold(f[0], name) {
			for v := range strings.SplitSeq(f[1], ",") {
				if strings.EqualFold(strings.TrimSpace(v), element) {
					return true
				}
			}
		}
	}
	return false
}

// line reads one that ends in CR LF, and in nothing else.
func line(r *bufio.Reader) (string, error) {
	text, err := r.ReadString('\n')
	if err != nil {
		if err == io.EOF && text != "" {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	text, ok := strings.CutSuffix(text, "\r\n")
	if !ok || strings.ContainsAny(text, "\r\x00") {
		return "", wrong("a line is %q", text)
	}
	return text, nil
}

// readHead returns io.EOF if nothing comes, and io.ErrUnexpectedEOF if not all of
// it does.
func readHead(r *bufio.Reader) (h head, err error) {
	if h.line, err = line(r); err != nil {
		return h, err
	}
	h.fields, err = readFields(r)
	return h, err
}

func readFields(r *bufio.Reader) (fields [][2]string, err error) {
	for {
		text, err := line(r)
		if err != nil {
			return nil, cutShort(err)
		}
		if text == "" {
			return fields, nil
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, wrong("a field is %q", text)
		}
		fields = append(fields, [2]string{name, strings.Trim(value, " \t")})
	}
}

func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// framingOf says how the content behind a header is framed.
func framingOf(h head, request bool) (framing, int, error) {
	coding, err1 := h.get("Transfer-Encoding")
	size, err2 := h.get("Content-Length")
	switch {
	case err1 != nil || err2 != nil:
		return none, 0, errors.Join(err1, err2)
	case coding != "" && (coding != "chunked" || size != ""):
		return none, 0, wrong("Transfer-Encoding %q, Content-Length %q", coding, size)
	case coding != "":
		return chunked, -1, nil
	case size != "":
		n, err := strconv.ParseUint(size, 10, 62)
		if err != nil {
			return none, 0, wrong("Content-Length %q", size)
		}
		return length, int(n), nil
	case request:
		return none, 0, nil
	}
	return closing, -1, nil
}

// read is a content that has been read to its end.
type read struct {
	size    int
	trailer head
}

// readContent reads one by its framing and compares it with what it is to be. It
// fails with a wrongError if that is something else, and with any other one if
// it breaks off.
func readContent(r *bufio.Reader, f framing, size int, want *content, p *pacer) (got read, err error) {
	switch f {
	case length:
		got.size, err = take(r, size, want, p)
	case closing:
		got.size, err = take(r, -1, want, p)
	case chunked:
		for {
			text, err := line(r)
			if err != nil {
				return got, cutShort(err)
			}
			n, err := strconv.ParseUint(text, 16, 62)
			if err != nil || n > 64<<20 {
				return got, wrong("a chunk's size is %q", text)
			}
			if n == 0 {
				got.trailer.fields, err = readFields(r)
				return got, err
			}
			some, err := take(r, int(n), want, p)
			got.size += some
			if err != nil {
				return got, err
			}
			if end, err := line(r); err != nil || end != "" {
				return got, errors.Join(cutShort(err), map[bool]error{true: wrong("%q is behind a chunk", end)}[end != ""])
			}
		}
	}
	return got, err
}

// take reads n bytes, or with -1 until the end.
func take(r *bufio.Reader, n int, want *content, p *pacer) (got int, err error) {
	for n < 0 || got < n {
		some := p.buffer()
		if n >= 0 {
			some = some[:min(len(some), n-got)]
		}
		k, err := r.Read(some)
		if wrong := want.check(some[:k]); wrong != nil {
			return got, wrong
		}
		got += k
		if err == io.EOF && n < 0 {
			return got, nil
		}
		if err != nil {
			return got, cutShort(err)
		}
		p.pause()
	}
	return got, nil
}

// pacer is one end's hurry.
type pacer struct {
	pace   pace
	rand   *rand.Rand
	pauses int // that are left
	space  []byte
}

func newPacer(p pace, seed int) *pacer {
	return &pacer{pace: p, rand: rand.New(rand.NewPCG(uint64(seed), 7)), pauses: 8}
}

func (p *pacer) buffer() []byte {
	if p.space == nil {
		p.space = make([]byte, 16<<10)
	}
	switch p.pace {
	case shreds:
		return p.space[:1+p.rand.IntN(700)]
	case slow:
		return p.space[:8<<10]
	}
	return p.space
}

// pause waits, if it is slow, for up to more than the time after which a proxy may
// begin to watch its client.
func (p *pacer) pause() {
	if p.pace == slow && p.pauses > 0 {
		p.pauses--
		time.Sleep(time.Duration(p.rand.IntN(30)) * time.Millisecond)
	}
}

// wire yields a message as it goes over HTTP/1.1: its header, which has the
// framing's fields already, and its content.
func (m message) wire(header string, id int, answer bool) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !yield([]byte(header)) {
			return
		}
		c := contentOf(id, answer)
		r := rand.New(rand.NewPCG(uint64(id), 3))
		chunk := 1 + pick(r, 0, 99, 4095, 4096, 32<<10, 64<<10-1)
		if m.size > 64<<10 {
			chunk += 4096
		}
		extension := pick(r, "", "", "", ";a", `;a="b;c"`)
		for left := m.size; left > 0; {
			if m.framing != chunked {
				b := c.next(left)
				left -= len(b)
				if !yield(b) {
					return
				}
				continue
			}
			b := c.next(min(left, 1+r.IntN(chunk)))
			left -= len(b)
			if !yield(fmt.Appendf(nil, "%x%s\r\n", len(b), extension)) || !yield(b) || !yield([]byte("\r\n")) {
				return
			}
		}
		if m.framing != chunked {
			return
		}
		end := "0\r\n"
		if m.trailer {
			end += "X-Sum: " + strconv.Itoa(id) + "\r\n"
		}
		yield([]byte(end + "\r\n"))
	}
}

var errCut = errors.New("cut")

// send writes at most so many bytes, in a pace; -1 stands for all. It returns
// errCut if that was less.
func send(conn net.Conn, pieces iter.Seq[[]byte], p pace, seed, most int) error {
	total := 0
	for b := range pieces {
		total += len(b)
	}
	s := &sender{conn: conn, pacer: newPacer(p, seed), total: total}
	if most >= 0 && most < total {
		s.total = most
	}
	s.Writer = bufio.NewWriterSize(conn, 64<<10)
	if p == shreds {
		s.Writer = bufio.NewWriterSize(conn, 1)
	}
	left := s.total
	for b := range pieces {
		b = b[:min(len(b), left)]
		left -= len(b)
		if err := s.write(b); err != nil {
			return err
		}
		if left == 0 {
			break
		}
	}
	if err := s.Flush(); err != nil {
		return err
	}
	if s.total < total {
		return errCut
	}
	return nil
}

// sender is one message on its way.
type sender struct {
	*bufio.Writer
	*pacer
	conn  net.Conn
	total int
	begun bool // the header has been written
}

func (s *sender) write(b []byte) error {
	first := !s.begun
	s.begun = true
	switch s.pace {
	case headFirst:
		if _, err := s.Write(b); err != nil || !first {
			return err
		}
		err := s.Flush()
		time.Sleep(time.Duration(s.rand.IntN(3)) * time.Millisecond)
		return err
	case shreds:
		for len(b) > 0 {
			n := min(len(b), 1+s.rand.IntN(max(20, s.total/32)))
			if _, err := s.conn.Write(b[:n]); err != nil {
				return err
			}
			b = b[n:]
		}
		return nil
	case slow:
		for len(b) > 0 {
			n := min(len(b), 1+s.total/8)
			if _, err := s.Write(b[:n]); err != nil {
				return err
			}
			if err := s.Flush(); err != nil {
				return err
			}
			b = b[n:]
			s.pause()
		}
		return nil
	}
	_, err := s.Write(b)
	return err
}
