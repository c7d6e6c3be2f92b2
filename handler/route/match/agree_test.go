package match_test

import (
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"spangate/handler/route/match"
)

// reader is how a server reads a path before it looks for a route of its own.
type reader struct {
	name  string
	read  func(path string) string
	parts func(segment string) string // what is done to a segment after all; nil: nothing
	same  func(literal, segment string) bool
}

// decode decodes s once, but for escapes of any of left.
func decode(s, left string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			upper := strings.ToUpper(s[i+1 : i+3])
			high, low := strings.IndexByte(hex, upper[0]), strings.IndexByte(hex, upper[1])
			if c := byte(high<<4 | low); high >= 0 && low >= 0 && strings.IndexByte(left, c) < 0 {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func decoded(s string) string { return decode(s, "") }

func merged(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

func slashed(s string) string { return strings.ReplaceAll(s, `\`, "/") }

// resolved resolves segments of dots as RFC 3986 §5.2.4 does.
func resolved(s string) string { return resolve(s, func(segment string) string { return segment }) }

// resolvedSent is resolved for a path that has not been decoded, as in URLs of browsers.
func resolvedSent(s string) string {
	return resolve(s, func(segment string) string { return strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") })
}

func resolve(s string, dotsIn func(segment string) string) string {
	var out []string
	all := strings.Split(s[1:], "/")
	for i, segment := range all {
		isLast := i == len(all)-1
		switch dots := dotsIn(segment); {
		case dots == "..":
			out = out[:max(0, len(out)-1)]
		case dots == ".":
		default:
			out = append(out, segment)
			continue
		}
		if isLast {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/")
}

// cleaned is what [path.Clean] makes of s, with the slash at the end that it takes away.
func cleaned(s string) string {
	c := path.Clean(s)
	if strings.HasSuffix(s, "/") && c != "/" {
		c += "/"
	}
	return c
}

// bare takes the parameters off each segment.
func bare(s string) string {
	all := strings.Split(s, "/")
	for i := range all {
		all[i], _, _ = strings.Cut(all[i], ";")
	}
	return strings.Join(all, "/")
}

// scripted takes out the script whose path info the rest is.
func scripted(s string) string {
	all := strings.Split(s, "/")
	i := slices.IndexFunc(all, func(segment string) bool { return strings.HasSuffix(strings.ToLower(segment), ".php") })
	if i < 0 || i == len(all)-1 {
		return s
	}
	return strings.Join(slices.Delete(all, i, i+1), "/")
}

// cut ends s where a path would.
func cut(s string) string {
	if i := strings.IndexAny(s, "?#\x00"); i >= 0 {
		s = s[:i]
	}
	return s
}

func chain(steps ...func(string) string) func(string) string {
	return func(s string) string {
		for _, step := range steps {
			s = step(s)
		}
		return s
	}
}

// unescaped decodes slashes alone.
var unescaped = strings.NewReplacer("%2F", "/", "%2f", "/", "%5C", `\`, "%5c", `\`).Replace

func butSlashes(s string) string { return decode(s, `/\`) }

// isText compares a literal with a decoded segment.
func isText(literal, segment string) bool { return decoded(literal) == segment }

func foldedText(literal, segment string) bool { return strings.EqualFold(decoded(literal), segment) }

func foldedSent(literal, segment string) bool {
	return strings.EqualFold(literal, segment)
}

// readers are how servers read paths, as far as is known of them, and some that stand
// behind another one.
var readers = []reader{
	{"net/http's ServeMux since Go 1.22", func(s string) string { return s }, decoded, isText},
	{"net/http's ServeMux before, gorilla/mux", chain(decoded, cleaned), nil, isText},
	{"net/http's FileServer", chain(decoded, cleaned), nil, foldedText},
	{"chi by RawPath", func(s string) string { return s }, nil, isSent},
	{"nginx", chain(decoded, merged, resolved), nil, isText},
	{"nginx, merge_slashes off", chain(decoded, resolved), nil, isText},
	{"Apache httpd, AllowEncodedSlashes NoDecode", chain(butSlashes, merged, resolved), nil, isText},
	{"Apache httpd, AllowEncodedSlashes On", chain(merged, resolved, decoded), nil, isText},
	{"lighttpd", chain(decoded, slashed, merged, resolved), nil, isText},
	{"Tomcat", chain(bare, decoded, slashed, merged, resolved), nil, isText},
	{"Tomcat, encodedSolidusHandling passthrough", chain(bare, butSlashes, merged, resolved), nil, isText},
	{"Jetty", chain(bare, decoded, resolved), nil, isText},
	{"Undertow", chain(decoded, bare, resolved), nil, isText},
	{"Spring PathPattern", bare, decoded, isText},
	{"Spring AntPathMatcher", chain(decoded, bare, merged), nil, isText},
	{"Express, path-to-regexp", func(s string) string { return s }, nil, foldedSent},
	{"Node, new URL and decodeURIComponent", chain(slashed, resolvedSent, decoded), nil, isText},
	{"Envoy normalize_path", chain(slashed, resolvedSent), nil, isSent},
	{"Envoy normalize_path, merge_slashes", chain(slashed, resolvedSent, merged), nil, isSent},
	{"Envoy UNESCAPE_AND_FORWARD", chain(unescaped, slashed, resolvedSent, merged), nil, isSent},
	{"IIS", chain(decoded, slashed, merged, resolved), nil, foldedText},
	{"ASP.NET Core Kestrel", chain(butSlashes, resolved), nil, foldedText},
	{"Rack, Rails Journey", merged, decoded, isText},
	{"Django, WSGI", decoded, nil, isText},
	{"Flask, Werkzeug", chain(decoded, merged), nil, isText},
	{"PHP-FPM with path info behind nginx", chain(decoded, merged, resolved, scripted), nil, isText},
	{"PHP with path info behind Caddy", chain(decoded, scripted), nil, isText},
	{"HAProxy normalize-uri before WSGI", chain(merged, resolved, decoded), nil, isText},
	{"Envoy before Tomcat", chain(slashed, resolvedSent, merged, bare, decoded, slashed, merged, resolved), nil, isText},
	{"nginx before Tomcat", chain(decoded, merged, resolved, bare, slashed, merged, resolved), nil, isText},
	{"Traefik before Jetty", chain(resolvedSent, bare, decoded, resolved), nil, isText},
	{"a program of C behind WSGI", chain(decoded, cut), nil, isText},
	{"a program that parses the path again", chain(decoded, cut, resolved), nil, isText},
}

// readable is a request with its path as it was sent.
type readable struct {
	*http.Request
	path string
}

// folds reports whether case does not matter to the reader. That is not asked where nobody
// takes a path as it was sent.
func (rd *reader) folds() bool { return rd.same("a", "A") }

// leads returns the rule that a reader's reading of the path leads to.
func (rd *reader) leads(ref reference, r readable) int {
	p := rd.read(r.path)
	segments := strings.Split(strings.TrimPrefix(p, "/"), "/")
	if rd.parts != nil {
		for i := range segments {
			segments[i] = rd.parts(segments[i])
		}
	}
	rule, _ := ref.match(r.Request, sentHost(r.Request), segments, rd.same)
	return rule
}

// tables are some in which much depends on how a path is read, and nil.
var tables = [][]string{
	nil,
	{"/*", "/a/*"},
	{"/*", "/a"},
	{"/*", "/a/", "/a/b"},
	{"/b/*", "/b/a/*", "/*"},
	{"/{x}", "/{x}/{y}", "/{x}/{y}/{z}"},
	{"/{x}/b/*", "/a/{x:int}", "/{rest...}"},
	{"/a/{rest...}", "/A/*", "/b"},
	{"/%C3%BC/*", "/a/b/b/a/*", "/"},
	{"x.org/*", "x.org/a/b/*", "/a/*", "/*"},
}

// chained returns what two servers make of a path: the first one looks at it as it was
// sent and the second one decodes it, or the first one decodes it for both.
func chained(s *source) reader {
	var name []string
	var steps []func(string) string
	does := func(what string, step func(string) string) {
		name, steps = append(name, what), append(steps, step)
	}
	may := func(what string, step func(string) string) {
		if s.number(2) > 0 {
			does(what, step)
		}
	}
	decodes := func() {
		if s.number(2) == 0 {
			does("decoded", decoded)
		} else {
			does("decoded but for slashes", butSlashes)
		}
	}
	resolve := resolved
	isFirst := s.number(2) == 1
	if isFirst {
		decodes()
	} else {
		resolve = resolvedSent
	}
	may("bare", bare)
	may("slashed", slashed)
	may("merged", merged)
	may("resolved", resolve)
	may("merged", merged)
	if !isFirst {
		decodes()
	}
	may("scripted", scripted)
	may("bare", bare)
	may("slashed", slashed)
	may("merged", merged)
	may("resolved", resolved)
	may("cleaned", cleaned)
	may("merged", merged)
	return reader{strings.Join(name, ", "), chain(steps...), nil, isText}
}

// TestReadings has a path for each thing that a reading may do, which no other leads to
// the route behind it.
func TestReadings(t *testing.T) {
	for path, protected := range map[string]string{
		"/%61":                       "/a",
		"/a%2Fb":                     "/a/b",
		"/x/../a":                    "/a",
		"/x/%2e%2e/a":                "/a",
		"/a/b/..":                    "/a",   // as path.Clean
		"/a/b/.":                     "/a/b", // too
		"/a/b/../":                   "/a/",  // as RFC 3986
		"/x//../a":                   "/x/a", // empty segments are segments
		"/x/y//../a":                 "/x/a", // or are not
		"/x//y//../../b":             "/x/b", // or are, and go later
		"/x%2F%2Fy%2F%2F..%2F..%2Fb": "/x/b", // too
		"/a;x":                       "/a",
		"/a%3Bx":                     "/a",
		"/x/..;/a":                   "/a",
		"/a;x%2Fb":                   "/a",       // parameters go before slashes are decoded
		"/a;x%2Fc":                   "/a/c",     // or after
		"/a%3Bx%2Fb":                 "/a",       // slashes are not decoded
		"/q/w/..;/..;/../b":          "/q/b",     // dots are resolved, parameters go, and dots are resolved again
		"/x%2Fy/../a":                "/a",       // dots are resolved, and slashes decoded
		"/x%2Fy/../c":                "/x/c",     // or the other way round
		"/x%2Fy/../b%2Fadmin":        "/b/admin", // and then
		"/x%2Fy/%2e%2e/b%2Fadmin":    "/b/admin", // as new URL and decodeURIComponent
		`/x\..\a`:                    "/a",
		"/x%5C..%5Ca":                "/a",
		`/a;x\b`:                     "/a",   // up to the slash
		`/a;x\c`:                     "/a/c", // up to the backslash
		"/x%5C..%5Ca%3Bx%5Cb":        "/a",   // too, where all is encoded
		"/A":                         "/a",
		"/x/../%41":                  "/a",
		"/a%3Fx":                     "/a",
		"/a%23x":                     "/a",
		"/a%00x":                     "/a",
		"/x/..%3F":                   "/",
		"/x/i.php/a":                 "/x/a",
		"/x/i%2EPHP/a":               "/x/a",
		"/i.php%2F..%2Fj.php/a":      "/a",
		"/x/i.php/../a":              "/x/a",
		"/x.php%2F%2e%2e%2fx.php%2F": "/",    // found by FuzzTheRoutesAgree
		"/c%3Bx.php%2Fa%3By":         "/a",   // a script goes before parameters
		"/c%5Cx.php%2Fa%5Cb":         "/a/b", // or before backslashes are slashes
		// Dots are resolved where all is decoded, and a server behind that one goes on.
		"/a%5C/x%5Cy%2F../b":          "/a/b",
		"/a/x/..;y":                   "/a", // dots before parameters are the last
		`/a/x/..;y\z`:                 "/a",
		"/a/x/..%3By%2Fz":             "/a",
		"/q/w%2F..%3B%2F..%3B%2F../b": "/q/b",
	} {
		table := compiled(t, "/*", protected)
		if got := outcome(table, request(path)); got != "ambiguous" {
			t.Errorf("%s beside %s: %s", path, protected, got)
		}
		if got := outcome(compiled(t, "/*", protected+"-"), request(path)); got != "0" {
			t.Errorf("%s beside %s-: %s", path, protected, got)
		}
	}
}

// FuzzTheRoutesAgree holds the table against what servers make of paths: where one of
// them would take a path to another route, the table has to say that it is ambiguous.
func FuzzTheRoutesAgree(f *testing.F) {
	f.Add([]byte("many rules"), []byte("and a request"), []byte("and a chain"))
	for i := range 60 {
		f.Add([]byte{byte(i)}, []byte{0, 0, byte(i), byte(3 * i), byte(i + 3), byte(7 * i), byte(5 * i), byte(i), byte(11 * i), 1}, []byte{byte(i), byte(i / 2), byte(i / 4), byte(i / 8), 1, 0, 0, byte(i), 1, 1, 1, byte(i)})
	}
	f.Fuzz(func(t *testing.T, ruleBytes, pathBytes, chainBytes []byte) {
		src := source(ruleBytes)
		rules := tables[src.number(len(tables))]
		if rules == nil {
			rules = src.rules()
		}
		rest := src.number(2) == 1
		table, err := compileWith(t, rest, rules...)
		if err != nil {
			return
		}
		r := readable{Request: request("GET x.org/"), path: "/"}
		for range min(len(pathBytes), 14) {
			r.path += (*source)(&pathBytes).of("/", "/", "/", "%2F", "%2f", `\`, "%5C", "..", ".", "%2e", "%2E%2e", ";", "%3B", "a", "b", "A", "7", "x.php", "%61", "%41", "%25", "%252e", "..;", "%00", "%3F", "%C3%BC", "%c3%bc", "%2e%2e%2f", "/../", someUUID)
		}
		r.RequestURI = r.path
		ref := referenceOf(rules)
		var m match.Match
		table.Match(&m, r.Request, r.Host, client)
		if m.Ambiguous {
			return
		}
		text := strings.Join(rules, " ")
		tellsCases := strings.Contains(text, "/A") && strings.Contains(text, "/a") // on purpose
		for _, rd := range slices.Concat(readers, []reader{chained((*source)(&chainBytes))}) {
			if rd.folds() && (m.Route < 0 && !rest || tellsCases) {
				continue
			}
			if rule := rd.leads(ref, r); rule != m.Route {
				t.Fatalf("%q: %s is rule %d's, but %s makes it %s: rule %d's", rules, r.path, m.Route, rd.name, rd.read(r.path), rule)
			}
		}
	})
}
