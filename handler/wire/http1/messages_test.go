package http1_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/iotest"

	"spangate/handler/wire/http1"
	"spangate/handler/wire/http1/http1test"
)

// message is a request or a response as one reader takes it.
type message struct {
	method, target, host string // of a request
	url                  string // its target, taken apart
	status               string // of a response
	header, trailer      http.Header
	announced            []string // in Trailer, sorted
	length               int64    // as in net/http
	content              string
	close                bool
	rest                 string // what follows
}

// What is read has memory that others were read into, as it has in the program.
var (
	requests  = sync.Pool{New: func() any { return new(http1.Request) }}
	responses = sync.Pool{New: func() any { return new(http1.Response) }}
)

// readRequest reads a request from src, its content by pieces of no more than size.
func readRequest(src io.Reader, size int) (message, error) {
	in := http1.NewReader(src)
	head, _, err := in.ReadRequestHead(http1test.HeadLimit)
	if err != nil {
		return message{}, err
	}
	memory := requests.Get().(*http1.Request)
	defer requests.Put(memory)
	defer memory.Reset()
	r, f, err := memory.Parse(head)
	if err != nil {
		return message{}, err
	}
	m := message{
		method: r.Method, target: r.RequestURI, host: r.Host, url: parts(r.URL), header: r.Header.Clone(), announced: keys(r.Trailer), length: r.ContentLength, close: r.Close,
	}
	return m, m.readContent(in, in.RequestBody(f), size)
}

// readResponse reads a response to a request of that method.
func readResponse(src io.Reader, method string, size int) (message, error) {
	in := http1.NewReader(src)
	memory := responses.Get().(*http1.Response)
	defer responses.Put(memory)
	defer memory.Reset()
	r, f, err := in.ReadResponse(memory, method, http1test.HeadLimit)
	if err != nil {
		return message{}, err
	}
	m := message{status: r.Status, header: r.Header.Clone(), announced: keys(r.Trailer), length: r.ContentLength, close: r.Close}
	return m, m.readContent(in, in.ResponseBody(f), size)
}

func (m *message) readContent(in *http1.Reader, body http1.Body, size int) error {
	content, err := io.ReadAll(pieces{&body, size})
	if err != nil {
		return err
	}
	if !body.Ended() {
		return fmt.Errorf("content %q that does not end", content)
	}
	m.content, m.trailer = string(content), body.Trailer()
	rest, err := io.ReadAll(in)
	m.rest = string(rest)
	return err
}

// withoutContent reports whether m, a response to a request of that method, is one
// that has none.
func (m *message) withoutContent(method string) bool {
	return method == "HEAD" || m.status[0] == '1' || m.status[:3] == "204" || m.status[:3] == "304" || method == "CONNECT" && m.status[0] == '2'
}

// pieces reads no more than size bytes at once.
type pieces struct {
	io.Reader
	size int
}

func (p pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.size)]) }

// cuts are ways for bytes to arrive.
var cuts = map[string]func(p []byte) io.Reader{
	"in one piece":          func(p []byte) io.Reader { return bytes.NewReader(p) },
	"byte by byte":          func(p []byte) io.Reader { return iotest.OneByteReader(bytes.NewReader(p)) },
	"by halves":             func(p []byte) io.Reader { return iotest.HalfReader(bytes.NewReader(p)) },
	"with the end":          func(p []byte) io.Reader { return iotest.DataErrReader(bytes.NewReader(p)) },
	"three bytes at a time": func(p []byte) io.Reader { return pieces{bytes.NewReader(p), 3} },
	"7,000 bytes at a time": func(p []byte) io.Reader { return pieces{bytes.NewReader(p), 7000} },
}

func (m *message) appendRequestLine(b []byte) []byte {
	return append(b, m.method+" "+m.target+" HTTP/1.1\r\nHost: "+m.host+"\r\n"...)
}

func (m *message) appendStatusLine(b []byte) []byte { return append(b, "HTTP/1.1 "+m.status+"\r\n"...) }

// appendRest appends what follows the first line of m as it is sent on. Content of no
// known length is sent in one chunk.
func (m *message) appendRest(b []byte, withoutContent bool) ([]byte, error) {
	if m.close {
		b = append(b, "Connection: close\r\n"...)
	}
	chunked := m.length < 0 && !withoutContent
	switch {
	case withoutContent:
		for _, length := range m.header["Content-Length"] {
			b = append(b, "Content-Length: "+length+"\r\n"...)
		}
	case chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case m.length > 0 || m.length == 0 && m.header["Content-Length"] != nil:
		b = append(b, "Content-Length: "+strconv.FormatInt(m.length, 10)+"\r\n"...)
	}
	if chunked && m.announced != nil {
		b = append(b, "Trailer: "+strings.Join(m.announced, ", ")+"\r\n"...)
	}
	b, err := http1.AppendFields(b, m.header, func(name string) bool { return name == "Connection" || name == "Content-Length" })
	if err != nil || !chunked {
		return append(b, m.content...), err
	}
	b = appendChunk(b, []byte(m.content))
	return http1.AppendLastChunk(b, m.trailer)
}

func parts(u *url.URL) string {
	return fmt.Sprintf("%q %q %q %q %q %q %q %t %t", u.Scheme, u.Opaque, u.User, u.Host, u.Path, u.RawPath, u.RawQuery, u.ForceQuery, u.OmitHost)
}

func keys(h http.Header) []string {
	if len(h) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(h))
}

// appendChunk appends p as a chunk; none where it is empty, which would be the last one.
func appendChunk(b, p []byte) []byte {
	if len(p) == 0 {
		return b
	}
	b = http1.AppendChunkSize(b, len(p))
	b = append(b, p...)
	return append(b, "\r\n"...)
}
