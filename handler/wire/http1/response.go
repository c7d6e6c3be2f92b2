package http1

import (
	"net/http"
	"strings"
)

// Response is memory for a response, which can be used again. The zero value is ready
// to use.
type Response struct {
	http.Response
	fields fields
}

// Reset forgets the response, of which nobody must hold more than strings.
func (m *Response) Reset() {
	m.Response = http.Response{}
	m.fields.reset()
}

// ReadResponse reads the head of a response to a request of that method, of no more
// than limit bytes, into m; interim responses are responses too. It has no body yet: that is
// [Reader.ResponseBody] of what else is returned. Its fields are as in net/http, but
// that nothing is taken out of its header save Transfer-Encoding, and Trailer, which
// is in its own field.
//
// Errors are as those of [Reader.Head].
func (r *Reader) ReadResponse(m *Response, method string, limit int) (*http.Response, Framing, error) {
	head, err := r.head(limit, func(line string) error { return parseStatusLine(new(http.Response), line) })
	if err != nil {
		return nil, Framing{}, err
	}
	return m.parse(head, method)
}

func (m *Response) parse(head, method string) (*http.Response, Framing, error) {
	end := strings.IndexByte(head, '\n') + 1
	line, fields := head[:end-len("\r\n")], head[end:]
	out := &m.Response
	out.ProtoMajor = 1
	if err := parseStatusLine(out, line); err != nil {
		return nil, Framing{}, err
	}
	header, f, err := m.fields.parse(fields, 0)
	if err != nil {
		return nil, f, err
	}
	http10 := out.ProtoMinor == 0
	if err := f.check(http10); err != nil {
		return nil, f, err
	}
	if f.Chunked && f.codings != chunkedAlone {
		// Nobody has asked for another one (RFC 9112 §7.4), and passing it on as
		// content would be another message.
		return nil, f, malformed("a Transfer-Encoding other than chunked")
	}
	if f.Chunked {
		out.TransferEncoding = []string{"chunked"}
		if out.Trailer, err = announced(header); err != nil {
			return nil, f, err
		}
	}
	out.Header = header
	out.Close = f.Close || http10 && !f.Keep
	out.ContentLength = f.Length
	if withoutContent(method, out.StatusCode) {
		f.Length, f.Chunked = 0, false
		switch {
		case out.StatusCode < 200, out.StatusCode == http.StatusNoContent, method == http.MethodConnect:
			out.ContentLength = 0
			delete(header, "Content-Length") // which must not be there (RFC 9110 §8.6)
		case method != http.MethodHead:
			out.ContentLength = 0
		}
	}
	if f.Length < 0 && !f.Chunked {
		out.Close = true // its end is that of the connection
	}
	return out, f, nil
}

// withoutContent reports whether a response has none, whatever its fields say (RFC
// 9112 §6.3).
func withoutContent(method string, status int) bool {
	return method == http.MethodHead || status < 200 || status == http.StatusNoContent || status == http.StatusNotModified ||
		method == http.MethodConnect && status < 300
}

// ResponseBody returns the content of a response whose head was read.
func (r *Reader) ResponseBody(f Framing) Body { return newBody(r, f) }

// parseStatusLine reads a response's first line (RFC 9112 §4).
func parseStatusLine(r *http.Response, line string) error {
	version, rest, found := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	status := 0
	for i := range len(code) {
		if !isDigit(code[i]) {
			status = 0
			break
		}
		status = status*10 + int(code[i]-'0')
	}
	if version != "HTTP/1.1" && version != "HTTP/1.0" || !found || len(code) != 3 || status < 100 || !isValue(rest) {
		return malformed("status line %.40q", line)
	}
	r.Status, r.StatusCode, r.Proto, r.ProtoMinor = rest, status, version, int(version[len(version)-1]-'0')
	return nil
}
