package framing

import (
	"net/http"
	"slices"
	"strings"
)

// Switches reports whether an Upgrade field offers a protocol that the
// connection may be switched to. HTTP/2 is not one: behind such a switch
// requests would pass unseen.
func Switches(upgrade string) bool {
	upgrade = strings.Trim(upgrade, " \t")
	return upgrade != "" && !strings.EqualFold(upgrade, "h2c")
}

// OffersSwitch reports whether r is one after which its connection passes
// unread. Unless it is upgraded, it must not carry another request. HTTP/1.0
// knows no switches (RFC 9110 §7.8).
func OffersSwitch(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.ProtoMinor > 0 && slices.ContainsFunc(r.Header["Upgrade"], Switches)
}
