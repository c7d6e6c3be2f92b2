package handler

import (
	"cmp"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Malformed says what is wrong with a request that net/http lets pass though
// RFC 9110, 9112 or 9113 does not, or returns "". It is the one place for both
// protocols; what package framing finds in HTTP/1, and net/http's own check of
// HTTP/2, comes before.
func Malformed(r *http.Request) string {
	return cmp.Or(wrongMethod(r), wrongProtocol(r), wrongTarget(r), wrongAuthority(r), wrongLength(r))
}

// wrongMethod checks what net/http does over HTTP/1 only.
func wrongMethod(r *http.Request) string {
	if !httpguts.ValidHeaderFieldName(r.Method) { // both are tokens
		return "The method is not valid."
	}
	return ""
}

// wrongProtocol checks what RFC 8441 §4 adds to HTTP/2.
func wrongProtocol(r *http.Request) string {
	if r.Header[protocolField] != nil {
		return "A protocol is for CONNECT alone."
	}
	return ""
}

// wrongTarget checks the forms of RFC 9112 §3.2, and those of :path in RFC 9113
// §8.3.1, but for CONNECT's. Control characters and broken encodings of a path
// have been refused before.
func wrongTarget(r *http.Request) string {
	target := r.RequestURI
	switch {
	case target == "*" && r.Method != http.MethodOptions:
		return "The target * is for OPTIONS only."
	case strings.Contains(target, "#"):
		return "The target has a fragment."
	case strings.Contains(target, " "):
		return "The target has a blank in it."
	case target == "*", strings.HasPrefix(target, "/"):
		return ""
	case r.ProtoMajor == 2:
		return "The target is not a path."
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return "The target's scheme is neither http nor https."
	case r.URL.Host == "":
		return "The target names no host."
	case r.URL.User != nil:
		return "The target has a user in it."
	}
	return ""
}

// wrongAuthority checks what the request is for: over HTTP/2 it may be said
// twice, in :authority and in Host.
func wrongAuthority(r *http.Request) string {
	if !validHost(r.Host) {
		return "The host is not valid."
	}
	hosts := r.Header["Host"] // net/http leaves it there over HTTP/2 only
	if len(hosts) > 1 {
		return "The host is named more than once."
	}
	if len(hosts) == 1 && !sameAuthority(hosts[0], r.Host, ":80") && !sameAuthority(hosts[0], r.Host, ":443") {
		return "The host is not the authority."
	}
	return ""
}

// sameAuthority reports whether a and b are the same for a scheme that has port
// anyway.
func sameAuthority(a, b, port string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, port), strings.TrimSuffix(b, port))
}

// wrongLength checks the length that an HTTP/2 request says it has, RFC 9113
// §8.1.1. net/http believes the first of several, takes what is no number for
// 0, and does not look at it where there is no content. Content of another
// length fails to be read.
func wrongLength(r *http.Request) string {
	lengths := r.Header["Content-Length"]
	if r.ProtoMajor != 2 || len(lengths) == 0 {
		return ""
	}
	length, err := strconv.ParseUint(lengths[0], 10, 63)
	switch {
	case len(lengths) > 1:
		return "The content's length is given more than once."
	case err != nil:
		return "The content's length is not a number."
	case int64(length) != r.ContentLength:
		return "The content's length is not that of the content."
	}
	return ""
}

// validHost reports whether host is what RFC 3986 §3.2.2 and §3.2.3 allow, or
// empty. What is not could mean one server here and another one behind; for the
// same reason it is no list, nor a name that is empty or encodes nothing.
func validHost(host string) bool {
	if rest, ok := strings.CutPrefix(host, "["); ok {
		literal, port, ok := strings.Cut(rest, "]")
		address, err := netip.ParseAddr(literal)
		return ok && err == nil && address.Is6() && address.Zone() == "" && (port == "" || validPort(port[1:]) && port[0] == ':')
	}
	name, port, found := strings.Cut(host, ":")
	return validName(name) && validPort(port) && (name != "" || !found)
}

func validPort(port string) bool { return strings.Trim(port, "0123456789") == "" }

func validName(name string) bool {
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~!$&'()*+;=", c) >= 0:
		case c == '%' && i+2 < len(name) && isHex(name[i+1]) && isHex(name[i+2]):
			i += 2
		default:
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
