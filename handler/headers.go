package handler

import (
	"net/http"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/field"
	"spangate/handler/wire/framing"
)

// Fields returns a wrapper that takes out of a request what nobody behind it may
// see: the fields that Connection names, from header and trailer, and those that
// would be taken for others that fields has. Policies write fields of their own
// later, which must not be removed because a client has named them.
func Fields(fields field.Set) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := r.Header
			if lines := h["Connection"]; lines != nil {
				for name := range fields.Options(lines) {
					delete(h, name)
					delete(r.Trailer, name)
				}
				delete(h, "Connection")
				if httpguts.HeaderValuesContainsToken(lines, "Upgrade") {
					h["Connection"] = []string{"Upgrade"}
				}
			}
			for name := range h {
				if fields.IsAlias(name) {
					delete(h, name)
				}
			}
			next.ServeHTTP(w, r)
		})
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
