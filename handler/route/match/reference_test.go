package match_test

import (
	"cmp"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"spangate/handler/route/match"
)

// reference is the table as it reads: all patterns are asked one by one, and of those
// that take a request that one wins whose precedence is the highest.
type reference []asked

// asked is a pattern with its rule's conditions, taken apart without any of the code
// that is tested.
type asked struct {
	rule     int
	methods  []string
	host     string
	segments []string
	conditions
}

type conditions struct{ headers, query, clients, content []string }

// referenceOf makes one of rules whose lines have ; between them.
func referenceOf(rules []string) (all reference) {
	for i, text := range rules {
		var c conditions
		var patterns []string
		for line := range strings.SplitSeq(text, "; ") {
			what, list, _ := strings.Cut(line, " ")
			items := strings.Split(list, ",")
			switch what {
			case "headers":
				c.headers = items
			case "query":
				c.query = items
			case "clients":
				c.clients = items
			case "content":
				c.content = items
			default:
				patterns = append(patterns, strings.Split(line, ",")...)
			}
		}
		for _, pattern := range patterns {
			methods, rest, found := strings.Cut(pattern, " ")
			a := asked{rule: i, conditions: c}
			if found {
				a.methods = strings.Split(methods, "|")
				if slices.Contains(a.methods, "GET") && !slices.Contains(a.methods, "HEAD") {
					a.methods = append(a.methods, "HEAD")
				}
			} else {
				rest = pattern
			}
			host, path, _ := strings.Cut(rest, "/")
			a.host, a.segments = host, strings.Split(path, "/")
			all = append(all, a)
		}
	}
	return all
}

// takesPath reports whether the pattern takes a path of these segments. Literals are
// compared by same.
func (a *asked) takesPath(path []string, same func(literal, segment string) bool) bool {
	for i, s := range a.segments {
		isLast := i == len(a.segments)-1
		switch {
		case isLast && s == "*":
			return true
		case i >= len(path):
			return false
		case isLast && strings.HasSuffix(s, "...}"):
			return true
		case s != "" && s[0] == '{':
			if !ofType(s, path[i]) {
				return false
			}
		case !same(s, path[i]):
			return false
		}
	}
	return len(path) == len(a.segments)
}

func ofType(variable, value string) bool {
	switch {
	case strings.HasSuffix(variable, ":int}"):
		_, err := strconv.ParseUint(strings.TrimPrefix(value, "-"), 10, 64)
		return err == nil && len(strings.TrimPrefix(value, "-")) <= 19
	case strings.HasSuffix(variable, ":uuid}"):
		hex := strings.ReplaceAll(value, "-", "")
		return len(value) == 36 && len(hex) == 32 && value[8] == '-' && value[13] == '-' && value[18] == '-' && value[23] == '-' &&
			strings.Trim(hex, "0123456789abcdefABCDEF") == ""
	}
	return value != ""
}

func (a *asked) takesHost(host string) bool {
	if suffix, found := strings.CutPrefix(a.host, "*"); found {
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix) && host[0] != '.'
	}
	return a.host == "" || a.host == host
}

func (c *conditions) hold(r *http.Request) bool {
	for _, h := range c.headers {
		name, value, hasValue := strings.Cut(h, ": ")
		if got := r.Header.Values(name); len(got) == 0 || hasValue && strings.Join(got, ", ") != value {
			return false
		}
	}
	values, _ := url.ParseQuery(r.URL.RawQuery)
	for _, q := range c.query {
		name, value, hasValue := strings.Cut(q, "=")
		if len(values[name]) == 0 || hasValue && slices.ContainsFunc(values[name], func(v string) bool { return v != value }) {
			return false
		}
	}
	if len(c.clients) > 0 && !slices.ContainsFunc(c.clients, func(n string) bool { return netip.MustParsePrefix(n).Contains(client) }) {
		return false
	}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return len(c.content) == 0 || slices.ContainsFunc(c.content, func(want string) bool {
		if begin, found := strings.CutSuffix(want, "*"); found {
			return strings.HasPrefix(strings.ToLower(media), begin)
		}
		return strings.EqualFold(media, want)
	})
}

// precedence orders what is preferred before what it is preferred to.
func (a *asked) precedence(b *asked) int {
	host := func(a *asked) int {
		switch {
		case a.host == "":
			return 1000
		case a.host[0] == '*':
			return 500 - len(a.host)
		}
		return 0
	}
	path := func(a *asked) (ranks []int) {
		for _, s := range a.segments {
			switch {
			case s == "*":
				ranks = append(ranks, 5)
			case strings.HasSuffix(s, "...}"):
				ranks = append(ranks, 4)
			case strings.HasSuffix(s, ":int}"), strings.HasSuffix(s, ":uuid}"):
				ranks = append(ranks, 2)
			case strings.HasPrefix(s, "{"):
				ranks = append(ranks, 3)
			default:
				ranks = append(ranks, 1)
			}
		}
		return append(ranks, 0)
	}
	methods := func(a *asked) int {
		if len(a.methods) == 0 {
			return 1000
		}
		return len(a.methods)
	}
	valued := func(items []string, separator string) (n int) {
		for _, item := range items {
			if strings.Contains(item, separator) {
				n++
			}
		}
		return n
	}
	return cmp.Or(
		cmp.Compare(host(a), host(b)),
		slices.Compare(path(a), path(b)),
		cmp.Compare(methods(a), methods(b)),
		-cmp.Compare(len(a.headers), len(b.headers)),
		-cmp.Compare(len(a.query), len(b.query)),
		-cmp.Compare(min(1, len(a.clients)), min(1, len(b.clients))),
		-cmp.Compare(min(1, len(a.content)), min(1, len(b.content))),
		-cmp.Compare(valued(a.headers, ":")+valued(a.query, "="), valued(b.headers, ":")+valued(b.query, "=")),
		narrower(a.clients, b.clients, func(network, of string) bool {
			n, o := netip.MustParsePrefix(network), netip.MustParsePrefix(of)
			return o.Overlaps(n) && o.Bits() <= n.Bits()
		}),
		narrower(a.content, b.content, func(media, of string) bool {
			begin, isBegin := strings.CutSuffix(of, "*")
			return media == of || isBegin && strings.HasPrefix(media, begin)
		}),
	)
}

// narrower prefers the list all of whose items the other one has too.
func narrower(a, b []string, has func(item, of string) bool) int {
	within := func(a, b []string) int {
		for _, item := range a {
			if !slices.ContainsFunc(b, func(of string) bool { return has(item, of) }) {
				return 0
			}
		}
		return 1
	}
	return -cmp.Compare(within(a, b), within(b, a))
}

// match returns the rule that takes the request if its path is of these segments, -1 for
// none, and the methods that others would have taken it with.
func (ref reference) match(r *http.Request, host string, path []string, same func(literal, segment string) bool) (rule int, allow string) {
	var best *asked
	var methods []string
	for i := range ref {
		a := &ref[i]
		switch {
		case !a.takesHost(host) || !a.takesPath(path, same) || !a.hold(r):
		case len(a.methods) > 0 && !slices.Contains(a.methods, r.Method):
			methods = append(methods, a.methods...)
		case best == nil || a.precedence(best) < 0:
			best = a
		}
	}
	if best != nil {
		return best.rule, ""
	}
	slices.Sort(methods)
	return -1, strings.Join(slices.Compact(methods), ", ")
}

// source makes choices of bytes; when there are no more it takes the first.
type source []byte

func (s *source) of(values ...string) string {
	if len(*s) == 0 {
		return values[0]
	}
	chosen := values[int((*s)[0])%len(values)]
	*s = (*s)[1:]
	return chosen
}

func (s *source) number(n int) int {
	if len(*s) == 0 {
		return 0
	}
	chosen := int((*s)[0]) % n
	*s = (*s)[1:]
	return chosen
}

// rules returns some rules that overlap a lot.
func (s *source) rules() (all []string) {
	for range 1 + s.number(6) {
		var text strings.Builder
		text.WriteString(s.pattern())
		for range s.number(2) {
			text.WriteString("," + s.pattern())
		}
		text.WriteString(s.of("", "", "", "; headers X-A: 1", "; headers X-A", "; headers X-A: 2,X-B", "; headers X-B"))
		text.WriteString(s.of("", "", "", "; query q=1", "; query q", "; query q=1,p"))
		text.WriteString(s.of("", "", "", "", "; clients 10.0.0.0/8", "; clients 10.0.0.0/24", "; clients 192.0.2.0/24"))
		text.WriteString(s.of("", "", "", "", "; content a/b", "; content a/*", "; content c/d,a/b"))
		all = append(all, text.String())
	}
	return all
}

func (s *source) pattern() string {
	var text strings.Builder
	text.WriteString(s.of("", "", "", "GET ", "POST ", "GET|POST ", "HEAD ", "POST|PUT ") +
		s.of("", "", "", "x.org", "*.x.org", "a.x.org", "*.a.x.org"))
	var taken int
	for range s.number(4) {
		taken++
		n := strconv.Itoa(taken)
		text.WriteString("/" + s.of("a", "b", "A", "%C3%BC", "{v"+n+"}", "{v"+n+":int}", "{v"+n+":uuid}", "7", "aa"))
	}
	end := s.of("", "/*", "/{rest...}", "/")
	if taken == 0 && end == "" {
		end = "/"
	}
	return text.String() + end
}

const someUUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

// request returns one that such rules may take. Its path has up to six of segments.
func (s *source) request(segments ...string) *http.Request {
	var text strings.Builder
	text.WriteString(s.of("GET", "POST", "HEAD", "PUT", "X") + " " + s.of("", "x.org", "a.x.org", "b.a.x.org", "c.b.a.x.org", "y.org", "X.org:80"))
	for range 1 + s.number(6) {
		text.WriteString("/" + s.of(segments...))
	}
	text.WriteString(s.of("", "?q=1", "?q=1&q=2&p", "?p=2&q=%31"))
	text.WriteString(s.of("", "; X-A: 1", "; X-A: 2; X-B: 3", "; X-B: 1", "; X-A: 1; X-A: 2"))
	text.WriteString(s.of("", "; Content-Type: a/b", "; Content-Type: A/C; x=y", "; Content-Type: c/d"))
	return request(text.String())
}

// sentHost is how a host reads to all.
func sentHost(r *http.Request) string {
	host, _, _ := strings.Cut(strings.ToLower(r.Host), ":")
	return host
}

// isSent compares a literal with a segment as it is sent: only what may not stand in a
// path is decoded.
func isSent(literal, segment string) bool {
	return strings.ReplaceAll(strings.ToUpper(segment), "%C3%BC", "") == strings.ReplaceAll(strings.ToUpper(literal), "%C3%BC", "") &&
		strings.ReplaceAll(segment, "%c3%bc", "%C3%BC") == literal
}

func sentSegments(r *http.Request) []string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return strings.Split(path[1:], "/")
}

// FuzzMatch compares the table with the reference, which looks at all patterns, and
// with the table of the same rules in another order.
func FuzzMatch(f *testing.F) {
	f.Add([]byte("many rules"), []byte("and a request"))
	for i := range 40 {
		f.Add([]byte{5, byte(i), 1, byte(3 * i), byte(i), 2, byte(5 * i), 7, byte(i), byte(11 * i), 3, 1, 4, byte(i), 5}, []byte{byte(i), byte(2 * i), 3, byte(i), byte(7 * i), 1})
	}
	f.Fuzz(func(t *testing.T, ruleBytes, requestBytes []byte) {
		src, req := source(ruleBytes), source(requestBytes)
		rules := src.rules()
		table, err := compile(t, rules...)
		reversed := slices.Clone(rules)
		slices.Reverse(reversed)
		table2, err2 := compile(t, reversed...)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%q: %v, but in reverse %v", rules, err, err2)
		}
		if err != nil {
			return
		}
		r := req.request("a", "b", "A", "", "7", "-7", someUUID, "%C3%BC", "%c3%bc", "c", "aa", "%61", "a;x", "a%2Fb")
		rule, allow := referenceOf(rules).match(r, sentHost(r), sentSegments(r), isSent)
		var m, m2 match.Match
		table.Match(&m, r, r.Host, client)
		table2.Match(&m2, r, r.Host, client)
		if m.Route != rule || m.Allow != allow {
			t.Errorf("%q: %s %s%s: rule %d, Allow %q; want %d, %q", rules, r.Method, r.Host, r.RequestURI, m.Route, m.Allow, rule, allow)
		}
		if m2.Route >= 0 && len(rules)-1-m2.Route != m.Route || (m2.Route < 0) != (m.Route < 0) || m.Ambiguous != m2.Ambiguous {
			t.Errorf("%q: %s %s%s: %+v, but in reverse %+v", rules, r.Method, r.Host, r.RequestURI, m, m2)
		}
	})
}
