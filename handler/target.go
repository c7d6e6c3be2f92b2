package handler

import (
	"net/http"
	"net/url"
	"strings"
)

// outgoingURL returns path and query of r as they came: every byte that may
// stand in a URI passes, encoded or not, and every other is encoded. What is
// decoded and encoded anew would be somebody else's path.
func outgoingURL(r *http.Request) url.URL {
	path, query, _ := strings.Cut(pathAndQuery(r.RequestURI), "?")
	return url.URL{Path: r.URL.Path, RawPath: encode(path), RawQuery: encode(query), ForceQuery: r.URL.ForceQuery}
}

// pathAndQuery returns target, which is not malformed, without scheme and
// authority.
func pathAndQuery(target string) string {
	if strings.HasPrefix(target, "/") {
		return target
	}
	_, rest, _ := strings.Cut(target, "://")
	if at := strings.IndexAny(rest, "/?"); at >= 0 {
		return rest[at:]
	}
	return ""
}

const upperhex = "0123456789ABCDEF"

// encode encodes the bytes of s, of a path or a query, that are none of a URI
// (RFC 3986 §2). A percent sign is one whatever follows it.
func encode(s string) string {
	first := 0
	for first < len(s) && inURI(s[first]) {
		first++
	}
	if first == len(s) {
		return s
	}
	encoded := append(make([]byte, 0, len(s)+16), s[:first]...)
	for i := first; i < len(s); i++ {
		if c := s[i]; inURI(c) {
			encoded = append(encoded, c)
		} else {
			encoded = append(encoded, '%', upperhex[c>>4], upperhex[c&15])
		}
	}
	return string(encoded)
}

// inURI reports whether a path or query may hold c. The number sign ends both.
func inURI(c byte) bool {
	return '!' <= c && c <= '~' && !strings.ContainsRune("\"#<>\\^`{|}", rune(c))
}
