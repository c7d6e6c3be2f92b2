package telemetry

import (
	"net/url"
	"strings"
)

// secretParameters are query parameters that carry signatures, after the HTTP
// conventions, or credentials. They are compared without regard to case.
var secretParameters = map[string]bool{
	"awsaccesskeyid": true, "signature": true, "sig": true, "x-goog-signature": true,
	"x-amz-signature": true, "x-amz-credential": true, "x-amz-security-token": true, "x-goog-credential": true,
	"access_token": true, "id_token": true, "refresh_token": true, "token": true, "jwt": true,
	"api_key": true, "apikey": true, "api-key": true, "key": true, "password": true, "passwd": true,
	"secret": true, "client_secret": true,
}

// redactQuery returns a raw query with the values of secret parameters
// replaced by REDACTED, and all else as it was.
func redactQuery(query string) string {
	if !strings.Contains(query, "=") {
		return query
	}
	var b strings.Builder
	kept := 0 // what is written to b reaches up to here
	for start := 0; start < len(query); {
		end := len(query)
		if i := strings.IndexAny(query[start:], "&;"); i >= 0 {
			end = start + i
		}
		if name, _, ok := strings.Cut(query[start:end], "="); ok && isSecret(name) {
			b.WriteString(query[kept : start+len(name)+1])
			b.WriteString("REDACTED")
			kept = end
		}
		start = end + 1
	}
	if kept == 0 {
		return query
	}
	b.WriteString(query[kept:])
	return b.String()
}

func isSecret(name string) bool {
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	return secretParameters[strings.ToLower(name)]
}

// fullURL returns the URL of a request for u by that scheme and host, redacted.
func fullURL(scheme, host string, u *url.URL) string {
	if u.RawQuery == "" {
		return scheme + "://" + host + u.EscapedPath()
	}
	return scheme + "://" + host + u.EscapedPath() + "?" + redactQuery(u.RawQuery)
}
