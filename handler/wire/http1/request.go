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

// ReadRequest reads the head of a request of no more than limit bytes; one empty line
// before it is passed over (RFC 9112 §2.2). The request has no body yet: that is
// [Reader.RequestBody] of what else is returned. Its fields are as in net/http, but
// that nothing is added to its header: neither Host nor Transfer-Encoding are in it,
// and Trailer is in its own field.
//
// Errors are as those of [Reader.Head], [Unsupported] beside.
func (r *Reader) ReadRequest(limit int) (*http.Request, Framing, error) {
	if err := r.skipEmptyLine(); err != nil {
		return nil, Framing{}, err
	}
	head, err := r.Head(limit)
	if err != nil {
		return nil, Framing{}, err
	}
	return parseRequest(head)
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

func parseRequest(head string) (*http.Request, Framing, error) {
	line, fields, _ := strings.Cut(head, "\r\n")
	out := &http.Request{ProtoMajor: 1}
	if err := parseRequestLine(out, line); err != nil {
		return nil, Framing{}, err
	}
	header, f, err := parseFields(fields)
	if err != nil {
		return nil, f, err
	}
	if err := f.checkRequest(out, header); err != nil {
		return nil, f, err
	}
	out.Header = header
	if out.Host = out.URL.Host; out.Host == "" {
		if host := header["Host"]; len(host) > 0 {
			out.Host = host[0]
		}
	}
	delete(header, "Host")
	out.ContentLength = max(f.Length, 0)
	if f.Chunked {
		out.ContentLength, out.TransferEncoding = -1, []string{"chunked"}
		out.Trailer = announced(header)
	}
	out.Close = f.Close || out.ProtoMinor == 0 && !f.Keep
	return out, f, nil
}

// checkRequest returns why a request cannot be taken, nil if it can.
func (f *Framing) checkRequest(r *http.Request, header http.Header) error {
	http10 := r.ProtoMinor == 0
	if err := f.check(http10); err != nil {
		return err
	}
	switch {
	case f.Hosts > 1:
		return malformed("more than one Host")
	case f.Hosts == 0 && !http10:
		return malformed("no Host")
	case f.Hosts == 1 && !httpguts.ValidHostHeader(header["Host"][0]):
		return malformed("Host %.40q", header["Host"][0])
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

// announced takes Trailer out of header, and returns the names in it as keys.
func announced(header http.Header) http.Header {
	lines := header["Trailer"]
	if lines == nil {
		return nil
	}
	delete(header, "Trailer")
	trailer := http.Header{}
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); isToken(name) {
				trailer[canonical(name)] = nil
			}
		}
	}
	return trailer
}

// parseRequestLine reads a request's first line (RFC 9112 §3).
func parseRequestLine(r *http.Request, line string) (err error) {
	method, rest, _ := strings.Cut(line, " ")
	target, version, found := strings.Cut(rest, " ")
	switch {
	case !found:
		return malformed("request line %.40q, which is not a method, a target and a version", line)
	case !isToken(method):
		return malformed("method %.40q", method)
	case !isVersion(version):
		return malformed("version %.40q", version)
	case version != "HTTP/1.1" && version != "HTTP/1.0":
		return Unsupported{http.StatusHTTPVersionNotSupported, "version " + version}
	}
	r.Method, r.RequestURI, r.Proto, r.ProtoMinor = method, target, version, int(version[len(version)-1]-'0')
	if method == http.MethodConnect && !strings.HasPrefix(target, "/") {
		r.URL, err = url.ParseRequestURI("http://" + target) // it is an authority
		if err == nil {
			r.URL.Scheme = ""
		}
	} else if err = checkTarget(target); err == nil {
		r.URL, err = url.ParseRequestURI(target)
	} else {
		return err
	}
	if err != nil {
		return malformed("target %.40q", target)
	}
	return nil
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
