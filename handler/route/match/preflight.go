package match

import (
	"maps"
	"net/http"
	"net/netip"
	"strings"
)

// Values that no field of a request can have.
const (
	unsaid  = "\x00"  // what a preflight does not say of a field that will be there
	perhaps = "\x00?" // and of one that may be there or not
)

// unannounced are fields that browsers send without a word of them in the preflight
// (https://fetch.spec.whatwg.org/#cors-unsafe-request-header-names): those that pages may
// always set, and those that the browser sets for them.
var unannounced = []string{"Accept", "Accept-Language", "Authorization", "Content-Language", "Content-Type", "Cookie", "Range"}

// Asked returns the request that a preflight asks for, nil if r is none. Which
// conditions on fields hold for it is not said in a preflight, see [Table.Routes].
func Asked(r *http.Request) *http.Request {
	if r.Method != http.MethodOptions {
		return nil
	}
	method := r.Header["Access-Control-Request-Method"]
	if len(method) != 1 || r.Header["Origin"] == nil {
		return nil
	}
	asked := *r
	asked.Method, asked.Header = method[0], maps.Clone(r.Header)
	for _, name := range unannounced {
		asked.Header[name] = []string{perhaps}
	}
	for _, line := range r.Header["Access-Control-Request-Headers"] {
		for name := range strings.SplitSeq(line, ",") {
			asked.Header[http.CanonicalHeaderKey(strings.TrimSpace(name))] = []string{unsaid}
		}
	}
	return &asked
}

// Routes returns, in match order, all rules that may take what a preflight asks for,
// whatever its fields say, each with its pattern, and none if it is possible that no rule
// does; nil where it is ambiguous without them.
func (t *Table) Routes(asked *http.Request, host string, client netip.Addr) (all []Match) {
	w := t.walk(asked, client)
	at, other, ok := w.sites(host)
	if !ok {
		return nil
	}
	path := sentPath(asked)
	w.read(path, &reading{})
	took := w.search(at)
	doubts, many := w.doubts, w.doubted > mostDoubts
	if many || !w.agree(at, other, path, took) {
		return nil
	}
	for _, e := range doubts {
		if e != nil && !sameRule(e, took) {
			all = append(all, Match{Route: e.rule, Pattern: e.pattern, path: path})
		}
	}
	if took == nil {
		return append(all, Match{Route: -1, path: path})
	}
	return append(all, Match{Route: took.rule, Pattern: took.pattern, path: path})
}
