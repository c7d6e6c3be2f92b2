package field

import "strings"

// forwarded, beside whatever begins with X-Forwarded or X-Original or ends with
// Client-Ip, say who the client is or what else it was that it asked for. Proxy is
// what CGI makes HTTP_PROXY of.
var forwarded = words(`Forwarded X-Real-Ip X-Host X-Rewrite-Url X-Scheme X-Url-Scheme X-Remote-Addr X-Remote-Ip X-Originating-Ip
	Front-End-Https X-Arr-Ssl Cf-Connecting-Ip Cf-Connecting-Ipv6 Cf-Visitor Cloudfront-Forwarded-Proto Cloudfront-Viewer-Address
	X-Envoy-External-Address X-Azure-Clientip X-Azure-Socketip X-Appengine-User-Ip Proxy`)

// IsForwarded reports whether the field of that canonical name says whom a request
// comes from, and how. Backends believe such a field, so that what a peer wrote
// there who is not believed has to be removed.
func IsForwarded(canonical string) bool {
	return forwarded[canonical] || strings.HasPrefix(canonical, "X-Forwarded") || strings.HasPrefix(canonical, "X-Original-") ||
		strings.HasSuffix(canonical, "Client-Ip")
}

func words(text string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		set[word] = true
	}
	return set
}
