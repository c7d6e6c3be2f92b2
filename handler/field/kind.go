package field

import "strings"

// kind says what is known of a field.
type kind int

const (
	unknown  kind = iota // it passes, wherever it stands
	hop                  // ends at the next hop whether Connection names it or not
	header               // is for all recipients, and for the header alone
	anywhere             // is for all recipients, and may be in a trailer by its own definition
)

func (s Set) kindOf(canonical string) kind {
	if k := kinds[canonical]; k != unknown {
		return k
	}
	if _, ok := s.own[canonical]; ok || IsForwarded(canonical) || IsTraceContext(canonical) {
		return header
	}
	for _, p := range kindsByPrefix {
		if strings.HasPrefix(canonical, p.prefix) {
			return p.kind
		}
	}
	return unknown
}

// IsDefined reports whether it is defined what the field of that canonical name
// holds, by HTTP or as one of the usual lists of hops, so that a configuration
// cannot give it another meaning.
func IsDefined(canonical string) bool {
	switch canonical {
	case "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto":
		return true
	}
	if kinds[canonical] != unknown {
		return true
	}
	for _, p := range kindsByPrefix {
		if strings.HasPrefix(canonical, p.prefix) {
			return true
		}
	}
	return false
}

// hops are those of RFC 9110 §7.6.1, RFC 9113 §8.2.2, and the fields of RFC 9110
// §11.7, which are between a client and the proxy it chose.
var hops = words(`Connection Proxy-Connection Keep-Alive Te Trailer Transfer-Encoding Upgrade Http2-Settings
	Proxy-Authenticate Proxy-Authorization Proxy-Authentication-Info`)

var kinds = func() map[string]kind {
	all := map[string]kind{}
	for name := range hops.all {
		all[name] = hop
	}
	for k, names := range map[kind]string{
		// Framing, routing, authentication, request modifiers, response controls and
		// the form of the content: RFC 9110 §6.5.1, in the words of RFC 7230 §4.1.2.
		header: `Content-Length Host Via Max-Forwards Early-Data Alt-Svc Alt-Used Status
			Authorization Www-Authenticate X-Serverless-Authorization Cookie Cookie2 Set-Cookie Set-Cookie2
			Cache-Control Expect Pragma Prefer Priority Range Origin Referer User-Agent From Idempotency-Key
			Age Allow Date Expires Location Ratelimit Ratelimit-Policy Retry-After Vary Warning
			Content-Disposition Content-Encoding Content-Language Content-Location Content-Range Content-Type
			Content-Security-Policy Strict-Transport-Security Grpc-Timeout Connect-Timeout-Ms`,
		anywhere: `Authentication-Info Content-Digest Content-Md5 Digest Etag Last-Modified Repr-Digest Server Server-Timing`,
	} {
		for name := range strings.FieldsSeq(names) {
			all[name] = k
		}
	}
	return all
}()

// kindsByPrefix are those of fields whose names are not all known.
var kindsByPrefix = []struct {
	prefix string
	kind   kind
}{
	{"If-", header}, {"Accept", header}, {"Access-Control-", header}, {"Sec-", header},
	{"Content-", anywhere}, {"Grpc-", anywhere},
}
