package handler

import (
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/balancer/framing"
)

// hopByHop are the fields that end at the next hop whether Connection names
// them or not (RFC 9110 §7.6.1, and the two proxy fields of §11.7, which are
// between a client and the proxy it chose).
var hopByHop = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info",
}

// removeHopByHop deletes from h what is meant for the next hop only.
func removeHopByHop(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = textproto.TrimString(name); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// removeNamed deletes from h, a request's header, the fields that Connection
// names. Policies write fields of their own later, which must not be removed
// because a client has named them.
func removeNamed(h http.Header) {
	lines := h["Connection"]
	if len(lines) == 0 {
		return
	}
	upgrade, te := h["Upgrade"], h["Te"]
	offers := httpguts.HeaderValuesContainsToken(lines, "Upgrade")
	removeHopByHop(h)
	if offers {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, upgrade
	}
	if te != nil {
		h["Te"] = te
	}
}

// upgradeOf returns the protocol that h offers or agrees to switch to, or "" if
// there is none that [framing.Switches] to.
func upgradeOf(h http.Header) string {
	if upgrade := h.Get("Upgrade"); framing.Switches(upgrade) && httpguts.HeaderValuesContainsToken(h["Connection"], "Upgrade") {
		return upgrade
	}
	return ""
}

// acceptsTrailers reports whether h's TE field admits trailers, the one member
// of it that says something about more than the next hop.
func acceptsTrailers(h http.Header) bool {
	return httpguts.HeaderValuesContainsToken(h["Te"], "trailers")
}

// answerWith adds the fields of a backend's answer to dst, the header of the
// response. What policies have set there goes before the backend's field of
// that name, or, where the value is nil, keeps it from the client. Vary is for
// both to name fields in.
func answerWith(dst, src http.Header) {
	for name, values := range src {
		have, set := dst[name]
		switch {
		case !set:
			dst[name] = values
		case name == "Vary":
			dst[name] = append(have[:len(have):len(have)], values...)
		}
	}
}

// copyHeader adds the fields of src to dst. The values are shared, not copied:
// neither side changes them in place.
func copyHeader(dst, src http.Header) {
	for name, values := range src {
		if have := dst[name]; have != nil {
			values = append(have[:len(have):len(have)], values...)
		}
		dst[name] = values
	}
}
