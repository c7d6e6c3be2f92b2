package http1

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// AppendRequest appends the head of r, whose content is of that length, or of length
// -1 comes in chunks. What it says of the connection is what r.Close and the header
// do, and TE is among it where the header has that (RFC 9110 §10.1.4). Names in
// r.Trailer are announced with chunks. Nothing is added to the header beside.
//
// Its error is [Malformed] for what cannot be sent.
func AppendRequest(b []byte, r *http.Request, length int64) ([]byte, error) {
	if !isToken(r.Method) {
		return b, malformed("method %.40q", r.Method)
	}
	host, err := hostOf(r)
	if err != nil {
		return b, err
	}
	b = append(append(b, r.Method...), ' ')
	if b, err = appendTarget(b, r.URL); err != nil {
		return b, err
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(append(b, host...), "\r\n"...)
	switch {
	case length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case length > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch:
		b = append(b, "Content-Length: "...)
		b = append(strconv.AppendInt(b, length, 10), "\r\n"...)
	}
	if b, err = appendTrailerNames(b, r.Trailer, length < 0); err != nil {
		return b, err
	}
	if b, err = appendConnection(b, r); err != nil {
		return b, err
	}
	return AppendFields(b, r.Header, written)
}

// written reports whether [AppendRequest] writes a field by itself.
func written(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Host", "Trailer", "Transfer-Encoding":
		return true
	}
	return false
}

// hostOf returns what goes into Host, nothing where that would be no host. An IPv6
// zone means nothing elsewhere (RFC 6874 §1).
func hostOf(r *http.Request) (string, error) {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	host, err := httpguts.PunycodeHostPort(host)
	if err != nil {
		return "", malformed("host %.40q", host)
	}
	if !httpguts.ValidHostHeader(host) {
		return "", nil
	}
	if strings.HasPrefix(host, "[") {
		address, rest, closed := strings.Cut(host, "]")
		if address, _, zoned := strings.Cut(address, "%"); closed && zoned {
			return address + "]" + rest, nil
		}
	}
	return host, nil
}

// appendTarget appends u in the form of a request's target, see
// [url.URL.RequestURI].
func appendTarget(b []byte, u *url.URL) ([]byte, error) {
	at, path := len(b), u.Opaque
	switch {
	case strings.HasPrefix(path, "//"):
		b = append(append(b, u.Scheme...), ':')
	case path != "":
	case u.RawPath == "" && isPlainPath(u.Path):
		path = u.Path
	default:
		if path = u.EscapedPath(); path == "" {
			path = "/"
		}
	}
	b = append(b, path...)
	if u.ForceQuery || u.RawQuery != "" {
		b = append(append(b, '?'), u.RawQuery...)
	}
	if !isVisible(b[at:]) {
		return b, malformed("target %.40q", b[at:])
	}
	return b, nil
}

func appendTrailerNames(b []byte, trailer http.Header, chunked bool) ([]byte, error) {
	if len(trailer) == 0 {
		return b, nil
	}
	names := slices.Sorted(maps.Keys(trailer))
	for _, name := range names {
		if !isToken(name) || name == "Content-Length" || name == "Trailer" || name == "Transfer-Encoding" {
			return b, malformed("trailer's name %.40q", name)
		}
	}
	if !chunked {
		return b, nil
	}
	b = append(b, "Trailer: "...)
	b = append(b, strings.Join(names, ", ")...)
	return append(b, "\r\n"...), nil
}

func appendConnection(b []byte, r *http.Request) ([]byte, error) {
	lines := r.Header["Connection"]
	te := r.Header["Te"] != nil
	if len(lines) == 0 && !te && !r.Close {
		return b, nil
	}
	separator := "Connection: "
	for _, line := range lines {
		if !isValue(line) {
			return b, malformed("value of field %.40q with a control character", "Connection")
		}
		b = append(append(b, separator...), line...)
		separator = ", "
	}
	if te {
		b = append(append(b, separator...), "TE"...)
		separator = ", "
	}
	if r.Close && !httpguts.HeaderValuesContainsToken(lines, "close") {
		b = append(append(b, separator...), "close"...)
	}
	return append(b, "\r\n"...), nil
}
