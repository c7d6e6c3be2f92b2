package handler

import (
	"net/http"
	"net/url"
	"strings"

	"spangate/handler/wire/http1"
)

// OutgoingURL returns path and query of r as they came, which is how backends get
// them: every byte that may stand in a URI passes, encoded or not, and every other is
// encoded. What is decoded and encoded anew would be somebody else's path.
func OutgoingURL(r *http.Request) url.URL {
	path, query := http1.SplitTarget(r.RequestURI)
	return url.URL{Path: r.URL.Path, RawPath: encode(path), RawQuery: encode(query), ForceQuery: r.URL.ForceQuery}
}

const upperhex = "0123456789ABCDEF"

// encode encodes the bytes of s, of a path or a query, that are none of a URI
// (RFC 3986 §2). A percent sign is one whatever follows it.
func encode(s string) string {
	if plainURI(s) == len(s) {
		return s
	}
	return string(AppendURI(make([]byte, 0, len(s)+16), s))
}

// AppendURI appends s, in which every byte that no URI may hold is encoded.
func AppendURI(b []byte, s string) []byte {
	first := plainURI(s)
	b = append(b, s[:first]...)
	for i := first; i < len(s); i++ {
		if c := s[i]; inURI(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', upperhex[c>>4], upperhex[c&15])
		}
	}
	return b
}

// plainURI returns how many bytes of s come before the first that no URI may hold.
func plainURI(s string) int {
	first := 0
	for first < len(s) && inURI(s[first]) {
		first++
	}
	return first
}

// inURI reports whether a path or query may hold c. The number sign ends both.
func inURI(c byte) bool {
	return '!' <= c && c <= '~' && !strings.ContainsRune("\"#<>\\^`{|}", rune(c))
}
