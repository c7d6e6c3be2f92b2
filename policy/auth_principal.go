package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Principal is whom a request was found to come from.
type Principal struct {
	// Name is the name of an API key, a user, the subject of a token or what a
	// certificate says. It is only together with Method that it is one of a kind, and
	// may hold any character.
	Name   string
	Method string // api_key, basic, jwt or client_cert
}

// The methods.
const (
	methodAPIKey     = "api_key"
	methodBasic      = "basic"
	methodJWT        = "jwt"
	methodClientCert = "client_cert"
)

// maxPrincipalName is what OpenID Connect allows a subject, in bytes.
const maxPrincipalName = 255

func isPrincipalName(name string) bool {
	return name != "" && len(name) <= maxPrincipalName && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) })
}

// fieldValue returns name as it can stand in a header field: percent-encoded but
// for the characters that mean nothing there. A comma does, to whoever joins the
// lines of a field.
func fieldValue(name string) string {
	plain := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+=:@/|", c) >= 0
	}
	special := 0
	for i := range len(name) {
		if !plain(name[i]) {
			special++
		}
	}
	if special == 0 {
		return name
	}
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(name)+2*special)
	for i := range len(name) {
		if c := name[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}
