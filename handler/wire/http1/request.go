package http1

import (
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Unsupported is a message that is well-formed, and asks for what is not there.
type Unsupported struct {
	Status int // that answers it
	What   string
}

// Error implements error.
func (u Unsupported) Error() string { return u.What }

// Request is memory for a request, which can be used again. The zero value is ready to
// use.
type Request struct {
	http.Request
	url    url.URL
	fields fields
}

// Reset forgets the request, of which nobody must hold more than strings.
func (m *Request) Reset() {
	m.Request, m.url = http.Request{}, url.URL{}
	m.fields.reset()
}

// ReadRequestHead reads the head of a request of no more than limit bytes; one empty
// line before it is passed over (RFC 9112 §2.2). [Request.Parse] reads what is in it.
//
// Errors are as those of [Reader.Head], and those of Parse for the first line, with
// which what is well-formed of that is returned.
func (r *Reader) ReadRequestHead(limit int) (string, *http.Request, error) {
	if err := r.skipEmptyLine(); err != nil {
		return "", nil, err
	}
	var out *http.Request
	head, err := r.head(limit, func(line string) (err error) {
		out, err = new(Request).parseLine(line)
		return err
	})
	return head, out, err
}

func (r *Reader) skipEmptyLine() error {
	for r.Buffered() < len("\r\n") {
		if r.Buffered() > 0 && r.Peek()[0] != '\r' {
			return nil
		}
		before := r.Buffered()
		if err := r.Fill(); err != nil {
			if before > 0 {
				err = unexpected(err)
			}
			return err
		}
	}
	if p := r.Peek(); p[0] == '\r' && p[1] == '\n' {
		r.Discard(len("\r\n"))
	}
	return nil
}

// forwarded is for how many fields more a header has room, those that a proxy adds: who
// asks, for what, and in which trace. Growth would cost more, but for the smallest
// headers, for which it is no more than the least that there is.
const forwarded = 7

// Parse reads a head into m. The request has no body yet: that is
// [Reader.RequestBody] of what else is returned. Its fields are as in net/http, but
// that nothing is added to its header: neither Host nor Transfer-Encoding are in it,
// and Trailer is in its own field if there may be one. A version above HTTP/1.1 is
// read as that (RFC 9110 §2.5).
//
// Errors are [Malformed], [ErrTooLarge] or [Unsupported]. A request that comes
// with one has what is well-formed of its first line, and nothing else; it is nil if
// that is not even a method, a target and a version.
func (m *Request) Parse(head string) (*http.Request, Framing, error) {
	end := strings.IndexByte(head, '\n') + 1
	line, fields := head[:end-len("\r\n")], head[end:]
	out, err := m.parseLine(line)
	if err != nil {
		return out, Framing{}, err
	}
	header, f, err := m.fields.parse(fields, forwarded)
	if err != nil {
		return out, f, err
	}
	if err := f.checkRequest(out.ProtoMinor == 0); err != nil {
		return out, f, err
	}
	var trailer http.Header
	if f.Chunked {
		if trailer, err = announced(header); err != nil {
			return out, f, err
		}
		out.ContentLength, out.TransferEncoding, out.Trailer = -1, []string{"chunked"}, trailer
	} else {
		out.ContentLength = f.Length
	}
	out.Header = header
	if out.Host = out.URL.Host; out.Host == "" {
		out.Host = f.host
	}
	out.Close = f.Close || out.ProtoMinor == 0 && !f.Keep
	return out, f, nil
}

// checkRequest returns why a request with these fields cannot be taken, nil if it can.
func (f *Framing) checkRequest(http10 bool) error {
	if err := f.check(http10); err != nil {
		return err
	}
	switch {
	case f.Hosts > 1:
		return malformed("more than one Host")
	case f.Hosts == 0 && !http10:
		return malformed("no Host")
	case !httpguts.ValidHostHeader(f.host):
		return malformed("Host %.40q", f.host)
	case f.Chunked && !f.codings.endChunked():
		return malformed("a Transfer-Encoding that does not end in chunked")
	case f.Chunked && f.codings != chunkedAlone:
		return Unsupported{http.StatusNotImplemented, "a Transfer-Encoding other than chunked"}
	}
	if f.Length < 0 && !f.Chunked {
		f.Length = 0 // a request without a length has no content (RFC 9112 §6.3)
	}
	return nil
}

// RequestBody returns the content of a request whose head was read.
func (r *Reader) RequestBody(f Framing) Body { return newBody(r, f) }

// announced takes Trailer out of header, and returns the names in it as keys. Those
// that say where a message ends stand in no trailer (RFC 9110 §6.5.1).
func announced(header http.Header) (http.Header, error) {
	lines := header["Trailer"]
	if lines == nil {
		return nil, nil
	}
	delete(header, "Trailer")
	var trailer http.Header
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			switch name = canonical(trim(name)); name {
			case "":
				continue
			case "Content-Length", "Transfer-Encoding", "Trailer":
				return nil, malformed("a Trailer that names %s", name)
			}
			if trailer == nil {
				trailer = http.Header{}
			}
			if trailer[name] = nil; len(trailer) > maxFields {
				return nil, ErrTooLarge
			}
		}
	}
	return trailer, nil
}

// parseLine reads a request's first line (RFC 9112 §3).
func (m *Request) parseLine(line string) (*http.Request, error) {
	first := strings.IndexByte(line, ' ')
	second := -1
	if first >= 0 {
		second = strings.IndexByte(line[first+1:], ' ')
	}
	if second < 0 {
		return nil, malformed("request line %.40q, which is not a method, a target and a version", line)
	}
	method, target, version := line[:first], line[first+1:first+1+second], line[first+1+second+1:]
	switch {
	case !isToken(method):
		return nil, malformed("method %.40q", method)
	case !isVersion(version):
		return nil, malformed("version %.40q", version)
	}
	r := &m.Request
	r.Method, r.RequestURI, r.Proto, r.ProtoMajor, r.ProtoMinor = method, target, version, int(version[5]-'0'), int(version[7]-'0')
	var err error
	if path, query, asked := strings.Cut(target, "?"); isPlainPath(path) && isValue(query) && !strings.Contains(query, "\t") && (!asked || query != "") && method != http.MethodConnect {
		m.url.Path, m.url.RawQuery = path, query
		r.URL = &m.url
	} else {
		r.URL, err = parseTarget(method, target)
	}
	if r.ProtoMajor != 1 {
		err = Unsupported{http.StatusHTTPVersionNotSupported, "version " + version} // whatever its target
	}
	return r, err
}

// isPlainPath reports whether path is one that stands for itself in each form of a
// [url.URL].
func isPlainPath(path string) bool {
	for i := range len(path) {
		if !inPlainPath[path[i]] {
			return false
		}
	}
	return path != "" && path[0] == '/'
}

var inPlainPath = func() (set [256]bool) {
	for c := range byte(0x7f) {
		set[c] = isLetter(c) || isDigit(c) || strings.IndexByte("/-._~$&+,:;=@", c) >= 0
	}
	return set
}()

// parseTarget reads the target of a request (RFC 9112 §3.2).
func parseTarget(method, target string) (u *url.URL, err error) {
	if method == http.MethodConnect { // it is an authority
		if !strings.ContainsAny(target, "/?#@") {
			u, err = url.ParseRequestURI("http://" + target)
		}
		if u == nil || err != nil || u.Port() == "" || !httpguts.ValidHostHeader(u.Host) {
			return nil, malformed("target %.40q, which is no host and port", target)
		}
		u.Scheme = ""
		return u, nil
	}
	if err := checkTarget(target); err != nil {
		return nil, err
	}
	if u, err = url.ParseRequestURI(target); err != nil || !httpguts.ValidHostHeader(u.Host) {
		return nil, malformed("target %.40q", target)
	}
	return u, nil
}

// SplitTarget returns path and query of a request's target as they were sent, without
// the scheme and authority that a target in absolute form has. The path is empty where
// that has none. What is no target is all authority.
func SplitTarget(target string) (path, query string) {
	if !strings.HasPrefix(target, "/") {
		_, rest, _ := strings.Cut(target, "://")
		target = strings.TrimLeftFunc(rest, func(c rune) bool { return c != '/' && c != '?' })
	}
	path, query, _ = strings.Cut(target, "?")
	return path, query
}

func isVersion(v string) bool {
	return len(v) == len("HTTP/1.1") && strings.HasPrefix(v, "HTTP/") && isDigit(v[5]) && v[6] == '.' && isDigit(v[7])
}

func checkTarget(target string) error {
	for i := range len(target) {
		if c := target[i]; c < ' ' || c == 0x7f {
			return malformed("target %.40q with a control character", target[i:])
		}
	}
	if target == "*" {
		return nil
	}
	if target == "" || target[0] != '/' && !hasScheme(target) {
		return malformed("target %.40q, which is no path, no URL and not *", target)
	}
	path, _, _ := strings.Cut(target, "?")
	for {
		at := strings.IndexByte(path, '%')
		if at < 0 {
			return nil
		}
		if path = path[at+1:]; len(path) < 2 || !isHex(path[0]) || !isHex(path[1]) {
			return malformed("target with %%%.2s, which encodes nothing", strings.ToValidUTF8(path, "?"))
		}
	}
}

// hasScheme reports whether target begins with a scheme (RFC 3986 §3.1).
func hasScheme(target string) bool {
	scheme, _, found := strings.Cut(target, ":")
	return found && scheme != "" && isLetter(scheme[0]) && !strings.ContainsFunc(scheme, func(c rune) bool {
		return c > 0x7f || !isLetter(byte(c)) && !isDigit(byte(c)) && c != '+' && c != '-' && c != '.'
	})
}

// StatusOf returns the status that answers a request whose head could not be read
// for err; 0 where nobody would read the answer.
func StatusOf(err error) int {
	switch err := err.(type) {
	case Malformed:
		return http.StatusBadRequest
	case Unsupported:
		return err.Status
	}
	if err == ErrTooLarge {
		return http.StatusRequestHeaderFieldsTooLarge
	}
	return 0
}
