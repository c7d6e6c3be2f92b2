package framing

import (
	"bytes"
	"fmt"
	"strconv"
)

// head is what the lines so far say of a message's framing.
type head struct {
	http10, chunked, sized, upgrade bool
	length                          int64
	hosts                           int
	codings                         codings
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

// field notes what a field line says of the framing.
func (h *head) field(line []byte) error {
	name, value, err := splitField(line)
	if err != nil {
		return err
	}
	switch len(name) {
	case len("Host"):
		if bytes.EqualFold(name, []byte("Host")) {
			h.hosts++
		}
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
		// Codings that chunked follows are net/http's to refuse.
		if bytes.EqualFold(name, []byte("Transfer-Encoding")) {
			h.chunked = true
			h.codings.add(value)
		}
	}
	return nil
}

// codings are what the lines of Transfer-Encoding so far end in.
type codings int

const (
	noCodings codings = iota
	otherLast
	chunkedLast
	behindChunked // which nothing may follow, itself included
)

func (c *codings) add(value []byte) {
	for coding := range bytes.SplitSeq(value, []byte(",")) {
		switch coding = bytes.Trim(coding, " \t"); {
		case len(coding) == 0:
		case *c >= chunkedLast:
			*c = behindChunked
		case bytes.EqualFold(coding, []byte("chunked")):
			*c = chunkedLast
		default:
			*c = otherLast
		}
	}
}

// endChunked reports whether the end of a request with these codings can be
// told, RFC 9112 §6.3.
func (c codings) endChunked() bool { return c == chunkedLast }

// splitField returns name and value of a field line.
func splitField(line []byte) (name, value []byte, err error) {
	if line[0] == ' ' || line[0] == '\t' {
		return nil, nil, malformed("a folded line")
	}
	name, value, found := bytes.Cut(line, []byte(":"))
	if !found {
		return nil, nil, malformed("a field without a colon")
	}
	if !isToken(name) {
		return nil, nil, malformed("field name %.40q", name)
	}
	return name, value, nil
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
	if err != nil {
		return 0, malformed("chunk size %.40q", digits)
	}
	return int64(size), nil
}

// fault says what is wrong with a message.
type fault string

func (f fault) Error() string { return "malformed message: " + string(f) }

func malformed(format string, args ...any) error { return fault(fmt.Sprintf(format, args...)) }
