package conformance

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A reading is one way to understand what comes on a connection of HTTP/1.1. Its
// zero value is forgiving: a line ends in LF, Transfer-Encoding goes before
// Content-Length, of several lengths the last counts, and of a number as much as
// is one.
type reading struct {
	strict      bool // as net/http
	lengthFirst bool // Content-Length goes before Transfer-Encoding
	firstLength bool // of several lengths the first counts
	aliases     bool // in names _ and a blank are -, as in CGI's variables
	wraps       bool // sizes have 32 bits
	bareCR      bool // ends a line too
}

// readings are what backends are known to differ in.
var readings = map[string]reading{
	"strict":                        {strict: true},
	"the coding first":              {},
	"the coding first, and bare CR": {bareCR: true},
	"the first length":              {lengthFirst: true, firstLength: true},
	"the last length":               {lengthFirst: true},
	"aliases":                       {aliases: true},
	"32 bits":                       {wraps: true},
}

// read is a request as one of them takes it.
type read struct {
	Method, Target, Body string
	Fields               []string // sorted; those of a trailer too
	Complete             bool
}

// has reports whether there is a field of that name, in lower case.
func (r *read) has(name string) bool {
	return slices.ContainsFunc(r.Fields, func(field string) bool { return strings.HasPrefix(field, name+": ") })
}

// all returns the requests in what came on a connection, and why it reads no
// further: nil at its end, io.ErrUnexpectedEOF if that was within a request, and
// another error before what is none.
func (w reading) all(received []byte) (requests []read, err error) {
	in := bufio.NewReader(bytes.NewReader(received))
	for {
		var r read
		if w.strict {
			err = r.strictly(in)
		} else {
			err = w.leniently(in, &r)
		}
		if r.Method == "" {
			if err == io.EOF {
				err = nil
			}
			return requests, err
		}
		slices.Sort(r.Fields)
		r.Complete = err == nil
		requests = append(requests, r)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return requests, err
		}
	}
}

func (r *read) strictly(in *bufio.Reader) error {
	request, err := http.ReadRequest(in)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(request.Body)
	r.Method, r.Target, r.Body = request.Method, request.RequestURI, string(body)
	r.add("", "Host", request.Host)
	for _, coding := range request.TransferEncoding {
		r.add("", "Transfer-Encoding", coding)
	}
	for name, values := range request.Header {
		r.add("", name, values...)
	}
	for name, values := range request.Trailer {
		r.add("trailer ", name, values...)
	}
	return err
}

// add notes a field, of which net/http leaves out Trailer.
func (r *read) add(where, name string, values ...string) {
	if name = strings.ToLower(name); name == "trailer" {
		return
	}
	for _, value := range values {
		r.Fields = append(r.Fields, where+name+": "+value)
	}
}

func (w reading) leniently(in *bufio.Reader, r *read) error {
	line := ""
	for line == "" {
		var err error
		if line, err = w.line(in); err != nil {
			return err
		}
	}
	words := strings.Fields(line)
	if len(words) < 2 {
		return fmt.Errorf("request line %q", line)
	}
	r.Method, r.Target = words[0], strings.Join(words[1:max(2, len(words)-1)], " ")
	if len(words) == 2 {
		return nil // HTTP/0.9
	}
	fields, err := w.fields(in)
	for _, f := range fields {
		r.add("", f.name, f.value)
	}
	if err != nil {
		return err
	}
	chunked, length := w.framing(fields)
	if chunked && (length < 0 || !w.lengthFirst) {
		return w.chunks(in, r)
	}
	return r.take(in, max(length, 0))
}

// take reads n bytes of the body.
func (r *read) take(in io.Reader, n int64) error {
	var body strings.Builder
	_, err := io.CopyN(&body, in, n)
	r.Body += body.String()
	return err
}

// framing returns what a header says of the body's end; no length is -1.
func (w reading) framing(fields []field) (chunked bool, length int64) {
	length = -1
	for _, f := range fields {
		name := strings.ToLower(f.name)
		if w.aliases {
			name = strings.NewReplacer("_", "-", " ", "-").Replace(name)
		}
		switch name {
		case "transfer-encoding":
			chunked = chunked || strings.Contains(strings.ToLower(f.value), "chunked")
		case "content-length":
			if n, ok := w.number(strings.TrimLeft(f.value, "+ \t"), 10); ok && (length < 0 || !w.firstLength) {
				length = int64(min(n, 1<<62))
			}
		}
	}
	return chunked, length
}

// number returns the one that s begins with, if it does.
func (w reading) number(s string, base uint64) (n uint64, ok bool) {
	for i := range len(s) {
		digit, err := strconv.ParseUint(s[i:i+1], int(base), 8)
		if err != nil {
			break
		}
		n, ok = n*base+digit, true
	}
	if w.wraps {
		n = uint64(uint32(n))
	}
	return n, ok
}

var errNoChunk = errors.New("a chunk without a size")

func (w reading) chunks(in *bufio.Reader, r *read) error {
	for {
		line, err := w.line(in)
		if err != nil {
			return err
		}
		line = strings.TrimLeft(strings.TrimSpace(line), "+")
		size, ok := w.number(strings.TrimPrefix(strings.ToLower(line), "0x"), 16)
		if !ok {
			return errNoChunk
		}
		if size == 0 {
			fields, err := w.fields(in)
			for _, f := range fields {
				r.add("trailer ", f.name, f.value)
			}
			return err
		}
		if err := r.take(in, int64(min(size, 1<<62))); err != nil {
			return err
		}
		if _, err := w.line(in); err != nil { // whatever stands before its end
			return err
		}
	}
}

type field struct{ name, value string }

func (w reading) fields(in *bufio.Reader) (fields []field, err error) {
	for {
		line, err := w.line(in)
		if err != nil || line == "" {
			return fields, err
		}
		if folded := line[0] == ' ' || line[0] == '\t'; folded && len(fields) > 0 {
			fields[len(fields)-1].value += " " + strings.TrimSpace(line)
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		fields = append(fields, field{strings.TrimFunc(name, invisible), strings.TrimFunc(value, invisible)})
	}
}

func invisible(c rune) bool { return c <= ' ' || c == 0x7f }

// line returns the next one without its end.
func (w reading) line(in *bufio.Reader) (string, error) {
	var line []byte
	for {
		c, err := in.ReadByte()
		switch {
		case err != nil:
			return string(line), err
		case c == '\n':
			return string(bytes.TrimRight(line, "\r")), nil
		case w.bareCR && len(line) > 0 && line[len(line)-1] == '\r':
			in.UnreadByte()
			return string(line[:len(line)-1]), nil
		}
		line = append(line, c)
	}
}
