package field

import (
	"maps"
	"slices"
	"strings"
)

// addresses, beside whatever ends with Client-Ip, name the client, in a list or
// alone.
var addresses = words(`X-Forwarded-For Forwarded X-Original-Forwarded-For X-Real-Ip X-Remote-Addr X-Remote-Ip X-Originating-Ip
	Cf-Connecting-Ip Cf-Connecting-Ipv6 Cloudfront-Viewer-Address X-Envoy-External-Address X-Azure-Clientip X-Azure-Socketip X-Appengine-User-Ip`)

// forwarded, beside whatever begins with X-Forwarded or X-Original, say what else
// it was that the client asked for. Proxy is what CGI makes HTTP_PROXY of.
var forwarded = words(`X-Host X-Rewrite-Url X-Scheme X-Url-Scheme Front-End-Https X-Arr-Ssl Cf-Visitor Cloudfront-Forwarded-Proto Proxy`)

var forwardedToo = beginnings(`X-Forwarded X-Original-`)

// certificates, beside whatever begins with X-Forwarded, are what proxies say in of
// the certificate of a client whose TLS ends there: Client-Cert of RFC 9440, and what
// Envoy, nginx, Azure and AWS have in its place.
// What begins like one of them is one, so that no later one of the family passes.
var certificates = beginnings(`Client-Cert X-Client-Cert X-Ssl- Ssl-Client- X-Arr-Clientcert X-Amzn-Mtls-`)

// NamesClient reports whether the field of that canonical name says which address
// a request comes from.
func NamesClient(canonical string) bool {
	return addresses.has(canonical) || strings.HasSuffix(canonical, "Client-Ip")
}

// IsForwarded reports whether the field of that canonical name says whom a request
// comes from, and how. Backends believe such a field, so that what a peer wrote
// there who is not believed has to be removed.
func IsForwarded(canonical string) bool {
	return NamesClient(canonical) || forwarded.has(canonical) || forwardedToo.begin(canonical) || certificates.begin(canonical)
}

// MayBeForwarded reports whether [IsForwarded] may hold for what is the canonical form of
// name, or that may be the one of own. It looks at the first two letters and the last one,
// which tell most fields from these.
func MayBeForwarded(name, own string) bool {
	if len(name) < 2 || own != "" && (name[0]|0x20 == own[0]|0x20 || !plain[own[0]]) {
		return true
	}
	return forwardedInitials[name[0]]&second(name) != 0 || name[len(name)-1]|0x20 == 'p'
}

// forwardedInitials are what names begin with for which [IsForwarded] holds, but for
// those that it knows by their end: bits of their second letters, by their first. What
// is no letter or digit may stand for a hyphen.
var forwardedInitials = func() (set [256]uint32) {
	for c := range set {
		if !plain[c] {
			set[c] = ^uint32(0)
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(addresses.all)), slices.Collect(maps.Keys(forwarded.all)), forwardedToo.all, certificates.all) {
		set[name[0]] |= second(name)
		set[name[0]|0x20] |= second(name)
	}
	return set
}()

// second returns a bit for the second letter of name.
func second(name string) uint32 {
	c := name[1]
	if !plain[c] {
		c = '-'
	}
	return 1 << (c % 32)
}
