package rewrite

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"spangate/handler"
)

// builtin are the placeholders that are known everywhere, {?} apart. Those of a pattern
// come beside them.
var builtin = []string{"host", "path", "query", "client_ip", "trace_id", "request_id", "route"}

// Facts are what templates say of a request that is the same for all requests of a
// route, or that others know. The zero value knows nothing: what is not known is empty.
type Facts struct {
	Route string // its name

	// RequestID is the canonical name of the field with a request's id, empty for none.
	RequestID string
	// TraceID returns the id of the trace that a request is part of, or "".
	TraceID func(context.Context) string
	// Variable returns what a variable of the pattern that took a request stands for, as
	// it was sent.
	Variable func(ctx context.Context, name string) (value string, ok bool)
}

// Values are what placeholders stand for, of one request:
//
//	{host}        what the client asked for, without a port
//	{path}        as the client sent it, before anything is rewritten
//	{query}       as the client sent it, without the question mark
//	{?}           the query with its question mark; nothing where there is none
//	{client_ip}   the client's address, by the rule of TRUSTED_PROXIES; empty where a proxy hides it
//	{trace_id}    of the trace that the request is part of; empty where there is none
//	{request_id}  the request's id; empty where there is none
//	{route}       the name of the route
//	{NAME}        a variable of the pattern, as the client sent it
type Values struct {
	facts   *Facts
	request *http.Request
	path    string
	query   string
	asks    bool // there is a question mark
}

// ValuesOf returns the values of r, of which target is path and query as they came. r is
// behind [handler.Identify], or sent for one that is.
func (f *Facts) ValuesOf(r *http.Request, target *url.URL) Values {
	v := Values{facts: f, request: r, path: target.RawPath, query: target.RawQuery, asks: target.ForceQuery || target.RawQuery != ""}
	if v.path == "" {
		v.path = target.EscapedPath()
	}
	if v.path == "" {
		v.path = "/"
	}
	return v
}

// host returns what the client asked for, without a port; an address of IPv6 is in
// brackets.
func (v *Values) host() string { return withoutPort(handler.ClientOf(v.request).Host) }

func withoutPort(authority string) string {
	if host, _, err := net.SplitHostPort(authority); err == nil {
		if strings.Contains(host, ":") {
			return authority[:len(host)+len("[]")]
		}
		return host
	}
	return authority
}

func (v *Values) append(b []byte, name string) []byte {
	value := ""
	switch name {
	case "path":
		value = v.path
	case "query":
		value = v.query
	case query:
		if !v.asks {
			return b
		}
		b, value = append(b, '?'), v.query
	case "host":
		value = v.host()
	case "client_ip":
		if addr := handler.ClientOf(v.request).NamedAddr(); addr.IsValid() {
			return addr.AppendTo(b)
		}
	case "route":
		value = v.facts.Route
	case "request_id":
		if lines := v.request.Header[v.facts.RequestID]; len(lines) > 0 {
			value = lines[0]
		}
	case "trace_id":
		if v.facts.TraceID != nil {
			value = v.facts.TraceID(v.request.Context())
		}
	default:
		if v.facts.Variable != nil {
			value, _ = v.facts.Variable(v.request.Context(), name)
		}
	}
	return handler.AppendURI(b, value)
}
