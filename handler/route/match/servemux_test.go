package match_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/route/match"
)

// ours returns a pattern of [http.ServeMux] as one of ours: a slash at its end stands
// for all below there, and {$} for the slash alone.
func ours(pattern string) string {
	if exact, found := strings.CutSuffix(pattern, "{$}"); found {
		return exact
	}
	if strings.HasSuffix(pattern, "/") {
		return pattern + "{all...}"
	}
	return pattern
}

// TestServeMuxPatterns has those of TestParsePattern and TestParsePatternError of
// net/http's pattern_test.go, with what is different here.
func TestServeMuxPatterns(t *testing.T) {
	for pattern, want := range map[string]string{
		"/": "/{all...}", "/a": "/a", "/a/": "/a/{all...}", "/path/to/something": "/path/to/something", "/{w1}/lit/{w2}": "/{w1}/lit/{w2}",
		"/{w1}/lit/{w2}/": "/{w1}/lit/{w2}/{all...}", "example.com/": "example.com/{all...}", "GET /": "GET /{all...}", "POST example.com/foo/{w}": "POST example.com/foo/{w}",
		"/{$}": "/", "DELETE example.com/a/{foo12}/{$}": "DELETE example.com/a/{foo12}/", "/foo/{$}": "/foo/", "/{a}/foo/{rest...}": "/{a}/foo/{rest...}",
		"GET\t  /": "GET /{all...}", "POST \t  example.com/foo/{w}": "POST example.com/foo/{w}",
		"//": "empty segment", "/foo///./../bar": "empty segment", "a.com/foo//": "empty segment", // the paths are redirected there
		"/%61%62/%7b/%": "a % that encodes nothing", "/%61%62/%7b/%25": "/%61%62/%7b/%25",

		"": "", "A=B /": "for a method", " ": "nothing between", ",": "nothing between", "/{w}x": "whole segment", "/x{w}": "whole segment", "/{wx": "whole segment", "/a/{/}/c": "whole segment",
		"/a/{%61}/c": "name of a variable", "/{a$}": "name of a variable", "/{}": "name of a variable", "POST a.com/x/{}/y": "name of a variable", "/{...}": "name of a variable",
		"/{$...}": "name of a variable", "/{$}/": "{$}", "/{$}/x": "{$}", "/abc/{$}/x": "{$}", "/{a...}/": "before the end", "/{a...}/x": "before the end",
		"{a}/b": "for a host", "/a/{x}/b/{x...}": "{x} twice", "GET //": "empty segment",
	} {
		var p match.Patterns
		err := p.UnmarshalText([]byte(ours(pattern)))
		switch {
		case err != nil && (want == "" || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", pattern, err, want)
		case err == nil && p.String() != want:
			t.Errorf("%q: %q, want %q", pattern, p, want)
		}
	}
}

// TestServeMuxConflicts has the pairs of TestCompareMethods, TestComparePaths,
// TestConflictsWith and TestDescribeConflict of net/http's pattern_test.go: <, > and ! are
// the more specific, the more general, and the refused.
func TestServeMuxConflicts(t *testing.T) {
	for _, test := range []string{
		"/ ! /", "GET / ! GET /", "HEAD / ! HEAD /", "POST / ! POST /", "GET / . POST /", "GET / < /", "HEAD / < /", "GET / > HEAD /",
		"/a ! /a", "/a . /b", "/a < /", "/a . /{$}", "/a < /{x}", "/a < /{x...}", "/b/a ! /b/a", "/b/a . /b/b", "/b/a < /b/", "/b/a . /b/{$}", "/b/a < /b/{x}", "/b/a < /b/{x...}",
		"/{z}/a ! /{z}/a", "/{z}/a . /{z}/b", "/{z}/a < /{z}/", "/{z}/a . /{z}/{$}", "/{z}/a < /{z}/{x}", "/{z}/a < /{z}/{x...}",
		"/{z} > /a", "/{z} . /a/b", "/{z} . /{$}", "/{z} ! /{x}", "/{z} < /", "/{z} < /{x...}", "/b/{z} > /b/a", "/b/{z} . /b/a/b", "/b/{z} . /b/{$}", "/b/{z} ! /b/{x}", "/b/{z} < /b/", "/b/{z} < /b/{x...}",
		"/ > /a", "/ > /a/b", "/ > /{$}", "/ > /{x}", "/ ! /", "/ ! /{x...}", "/b/ > /b/a", "/b/ > /b/a/b", "/b/ > /b/{$}", "/b/ > /b/{x}", "/b/ ! /b/", "/b/ ! /b/{x...}",
		"/{z}/ > /{z}/a", "/{z}/ > /{z}/a/b", "/{z}/ > /{z}/{$}", "/{z}/ > /{z}/{x}", "/{z}/ ! /{z}/", "/{z}/ > /a/", "/{z}/ ! /{z}/{x...}", "/{z}/ > /a/{x...}", "/a/{z}/ ! /{z}/a/", "/a/{z}/b/ ! /{x}/c/{y...}",
		"/{m...} > /a", "/{m...} > /a/b", "/{m...} > /{$}", "/{m...} > /{x}", "/{m...} ! /", "/{m...} ! /{x...}", "/b/{m...} > /b/a", "/b/{m...} > /b/{$}", "/b/{m...} ! /b/", "/b/{m...} . /a/{x...}",
		"/{z}/{m...} > /{z}/a", "/{z}/{m...} > /{z}/{$}", "/{z}/{m...} ! /{w}/", "/{z}/{m...} > /a/", "/{z}/{m...} > /a/{x...}", "/a/{m...} > /a/b/{y...}", "/a/{m...} > /a/{x}/{y...}", "/a/{z}/{m...} > /a/b/{y...}",
		"/a/{z}/{m...} ! /{z}/a/", "/a/{z}/{m...} ! /{z}/b/{y...}", "/a/{z}/b/{m...} ! /{x}/c/{y...}", "/a/{z}/a/{m...} . /{x}/b",
		"/{$} . /a", "/{$} . /a/b", "/{$} ! /{$}", "/{$} . /{x}", "/{$} < /", "/{$} < /{x...}", "/b/{$} . /b", "/b/{$} . /b/a", "/b/{$} ! /b/{$}", "/b/{$} < /b/", "/b/{$} . /b/c/{x...}",
		"/b/{x}/a/{$} ! /{x}/c/{y...}", "/{x}/b/{$} . /a/{x}/{y}", "/{x}/b/{$} . /a/{x}/c", "/{z}/{$} . /{z}/a", "/{z}/{$} ! /a/", "/{z}/{$} ! /a/{x...}", "/{z}/{$} < /{z}/{x...}", "/a/{z}/{$} ! /{z}/a/",
		"/a . /ab", "/a/b/cd . /a/b/c", "/a/b/c . /a/c/c", "/{x}/{y} > /{x}/a", "/{x}/{y} . /{x}/a/b", "/{x} . /a/{y}", "/{x}/{y} . /{x}/a/", "/{x} . /a/{y...}", "/{x}/{y} . /{x}/a/{$}", "/{x}/a/{y} < /{x}/a/{y...}", "/{x}/{y}/{$} > /{x}/a/{$}", "/a/{x} ! /{x}/b",
		"/ > GET /", "/ > GET /foo", "GET / > GET /foo", "/a/{x}/ ! /a/{y}/{z...}",

		// Refused there: the path decides here, whatever the methods.
		"GET / > /foo", "GET /foo < HEAD /", "/a < GET /{x}", "GET /a < HEAD /", "POST / > /a",
	} {
		a, b, want := sides(test)
		if got := relation(t, ours(a), ours(b)); got != want {
			t.Errorf("%s: %s", test, got)
		}
	}
}

func sides(test string) (a, b, want string) {
	for _, want := range []string{" < ", " > ", " ! ", " . "} {
		if a, b, found := strings.Cut(test, want); found {
			return a, b, strings.TrimSpace(want)
		}
	}
	return "", "", ""
}

// relation says what two patterns have to do with one another, by what a table does:
// of two that have nothing in common the order says nothing.
func relation(t *testing.T, a, b string) string {
	t.Helper()
	table, err := compile(t, a, b)
	if err != nil {
		return "!"
	}
	for _, text := range []string{"/", "/a", "/b", "/foo", "/a/", "/b/", "/a/b", "/b/a", "/z/a", "/z/", "/b/a/", "/a/b/", "/z/a/", "/z/b", "/a/b/c", "/b/c/", "/a/a/b", "/a/c/a", "/z/x/", "/z/a/b", "/z/a/", "/b/a/b", "/b/c/x"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
			r := request(method + " " + text)
			var first, second []string
			for _, v := range table.Explain(r, "", client) {
				if v.Why == "" {
					first = append(first, v.Name)
				} else if strings.Contains(v.Why, "more specific") {
					second = append(second, v.Name)
				}
			}
			if len(first) == 1 && len(second) == 1 {
				return map[string]string{"0": "<", "1": ">"}[first[0]]
			}
		}
	}
	return "."
}

// TestServeMuxTree has the tables of TestRoutingNodeMatch and TestMatchingMethods of
// net/http's routing_tree_test.go.
func TestServeMuxTree(t *testing.T) {
	for name, test := range map[string]struct {
		patterns []string
		want     map[string]string
	}{
		"tree": {[]string{"/a", "/a/b", "/a/{x}", "/g/h/i", "/g/{x}/j", "/a/b/{x...}", "/a/b/{y}", "/a/b/{$}"}, map[string]string{
			"/a": "/a", "/b": "none", "/a/b": "/a/b", "/a/c": "/a/{x} c", "/a/b/": "/a/b/", "/a/b/c": "/a/b/{y} c", "/a/b/c/d": "/a/b/{x...} c/d", "/g/h/i": "/g/h/i", "/g/h/j": "/g/{x}/j h",
		}},
		"items": {[]string{
			"/item/", "POST /item/{user}", "GET /item/{user}", "/item/{user}", "/item/{user}/{id}", "/item/{user}/new", "/item/{$}", "POST alt.com/item/{user}", "GET /headwins", "HEAD /headwins", "/path/{p...}",
		}, map[string]string{
			"GET /item/jba": "GET /item/{user} jba", "POST /item/jba": "POST /item/{user} jba", "HEAD /item/jba": "GET /item/{user} jba", "get /item/jba": "/item/{user} jba", "POST /item/jba/17": "/item/{user}/{id} jba 17",
			"/item/jba/new": "/item/{user}/new jba", "/item/": "/item/", "/item/jba/17/line2": "/item/{all...} jba/17/line2", "POST alt.com/item/jba": "POST alt.com/item/{user} jba",
			"GET alt.com/item/jba": "GET /item/{user} jba", "/item": "none", "GET /headwins": "GET /headwins", "HEAD /headwins": "HEAD /headwins", "/path/to/file": "/path/{p...} to/file", "/path/*": "/path/{p...} *",
		}},
		"dollar":   {[]string{"/a/b/{$}"}, map[string]string{"/a/b": "none", "/a/b/": "/a/b/", "/a/b/c": "none", "/a/b/c/d": "none"}},
		"wildcard": {[]string{"/a/b/{w}"}, map[string]string{"/a/b": "none", "/a/b/": "none", "/a/b/c": "/a/b/{w} c", "/a/b/c/d": "none"}},
		"rest":     {[]string{"/a/b/{w...}"}, map[string]string{"/a/b": "none", "/a/b/": "/a/b/{w...} ", "/a/b/c": "/a/b/{w...} c", "/a/b/c/d": "/a/b/{w...} c/d"}},
		"all three": {[]string{"/a/b/{$}", "/a/b/{w}", "/a/b/{w...}"}, map[string]string{
			"/a/b": "none", "/a/b/": "/a/b/", "/a/b/c": "/a/b/{w} c", "/a/b/c/d": "/a/b/{w...} c/d",
		}},
		"methods": {[]string{"GET a.com/", "PUT b.com/", "POST /foo/{x}"}, map[string]string{
			"X /foo": "none", "X /foo/bar": "allow POST", "X a.com/foo/bar": "allow GET, HEAD, POST", "X b.com/bar": "allow PUT",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var rules []string
			for _, pattern := range test.patterns {
				rules = append(rules, ours(pattern))
			}
			table := compiled(t, rules...)
			got := map[string]string{}
			for text := range test.want {
				r := request(text)
				var m match.Match
				if table.Match(&m, r, r.Host, client); m.Pattern == nil {
					got[text] = outcome(table, r)
					continue
				}
				got[text] = m.Pattern.String()
				for _, variable := range m.Pattern.Variables() {
					value, _ := m.Value(variable)
					got[text] += " " + value
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
