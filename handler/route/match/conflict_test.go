package match_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestConflicts(t *testing.T) {
	const no = ""
	for _, test := range []struct {
		rules []string
		want  string // what both match
	}{
		{[]string{"/a/{p}/c", "/a/b/{q}"}, "/a/b/c"},
		{[]string{"/a/{p}/c", "/a/b/{q}", "/a/b/c"}, no}, // which the third one takes
		{[]string{"/a/{p}/c", "/a/b/{q},/a/b/c"}, no},    // or one of them
		{[]string{"/a/{p}/c", "/a/b/{q}", "/a/b/d"}, "/a/b/c"},
		{[]string{"/a/{p}/c", "/a/b/{q}", "GET /a/b/c"}, "/a/b/c"},
		{[]string{"GET /a/{p}/c", "/a/b/{q}", "GET /a/b/c"}, no},
		{[]string{"/a/{p}/c", "GET|POST /a/b/{q}"}, "GET /a/b/c"},
		{[]string{"PUT /a/{p}/c", "GET|POST /a/b/{q}"}, no},
		{[]string{"x.org/a/{p}/c", "x.org/a/b/{q}"}, "x.org/a/b/c"},
		{[]string{"x.org/a/{p}/c", "/a/b/{q}"}, no},
		{[]string{"*.x.org/a/*", "*.x.org/a/*"}, "a.x.org/a"},
		{[]string{"*.x.org/a/*", "*.a.x.org/a/*"}, no},
		{[]string{"X.org/a", "x.ORG/a"}, "x.org/a"},
		{[]string{"[::1]/a", "[0:0::1]/a"}, "[::1]/a"},

		{[]string{"/*", "/{rest...}"}, "/"},
		{[]string{"/a/*", "/a/{rest...}"}, no},
		{[]string{"/a/{x}", "/a/{x}"}, "/a/x"},
		{[]string{"/a/{x}/*", "/a/b"}, no},
		{[]string{"/a/{x}/{rest...}", "/a/b/*"}, no},
		{[]string{"/{page}", "/admin/*"}, "/admin"},
		{[]string{"/{page}", "/admin/*,/admin"}, no},
		{[]string{"/a/{x}/*", "/a/b/{rest...}"}, no},
		{[]string{"/{y}/b/{rest...}", "/a/{x}/*"}, "/a/b/"},
		{[]string{"/a/{x}", "/a/b/*"}, "/a/b"},
		{[]string{"/{x:int}/*", "/{x}"}, "/1"},
		{[]string{"/{x:int}/*", "/{x:uuid}/*"}, no},
		{[]string{"/{x:int}", "/{y:int}"}, "/1"},
		{[]string{"/{x:uuid}/a", "/{y:uuid}/{z}", "/{y:uuid}/a"}, "/00000000-0000-4000-8000-000000000000/a"},
		{[]string{"/{x:int}/*", "/7"}, no},
		{[]string{"/%C3%BC/*", "/ü/*"}, "/%C3%BC"},
		{[]string{"/a", "/A"}, no},

		{[]string{"GET /a", "GET|HEAD /a"}, "GET /a"},
		{[]string{"GET /a", "HEAD /a"}, no},
		{[]string{"GET|POST /a", "POST|PUT /a"}, "POST /a"},
		{[]string{"GET|POST /a", "POST|PUT /a", "POST /a"}, no},
		{[]string{"POST|PUT /a", "POST /a", "/a"}, no},

		{[]string{"/a; headers X: 1", "/a; headers X: 2"}, no},
		{[]string{"/a; headers X: 1", "/a; headers X"}, no},
		{[]string{"/a; headers X", "/a; headers Y"}, "/a"},
		{[]string{"/a; headers X", "/a; headers Y", "/a; headers X,Y"}, no},
		{[]string{"/a; headers X", "/a; headers Y", "/a; headers X: 1,Y"}, "/a"},
		{[]string{"/a; headers X,Y", "/a; headers Z"}, no},
		{[]string{"/a; headers X", "/a; query x"}, no},
		{[]string{"/a; query x=1", "/a; query x=2"}, no},
		{[]string{"/a; query x=1", "/a; query y=1"}, "/a"},
		{[]string{"/a; query x; clients 10.0.0.0/8", "/a; query x"}, no},
		{[]string{"/a; clients 10.0.0.0/8", "/a; clients 10.1.0.0/16"}, no},
		{[]string{"/a; clients 10.0.0.0/8,::1", "/a; clients 10.1.0.0/16,::2"}, "/a"},
		{[]string{"/a; clients 10.0.0.0/8", "/a; clients 11.0.0.0/8"}, no},
		{[]string{"/a; content a/*", "/a; content a/b"}, no},
		{[]string{"/a; content a/b,c/d", "/a; content a/b,e/f"}, "/a"},
		{[]string{"/a; content a/b", "/a; content c/d"}, no},
		{[]string{"/a; content a/b", "/a; clients all"}, no},
		{[]string{"/a/{x}/c; headers X: 1", "/a/b/{y}; headers X: 2"}, no},
		{[]string{"/a/{x}/c; headers X", "/a/b/{y}"}, "/a/b/c"},
	} {
		for range 2 {
			_, err := compile(t, test.rules...)
			switch {
			case test.want == no && err != nil:
				t.Errorf("%q: %v", test.rules, err)
			case test.want != no && (err == nil || !strings.Contains(err.Error(), ": both match "+test.want+" and neither is more specific")):
				t.Errorf("%q: %v, want %s", test.rules, err, test.want)
			}
			slices.Reverse(test.rules)
		}
	}
}

func TestConflictsAreAllTold(t *testing.T) {
	_, err := compile(t, "/a/{p}/c", "/a/b/{q},/x", "/x", "/a/{r}/c")
	const want = `routes "1" (/x) and "2" (/x): both match /x and neither is more specific
routes "0" (/a/{p}/c) and "1" (/a/b/{q}): both match /a/b/c and neither is more specific
routes "1" (/a/b/{q}) and "3" (/a/{r}/c): both match /a/b/c and neither is more specific
routes "0" (/a/{p}/c) and "3" (/a/{r}/c): both match /a/p/c and neither is more specific`
	if err == nil || !sameLines(err.Error(), want) {
		t.Errorf("%v\nwant\n%s", err, want)
	}
}

func sameLines(a, b string) bool {
	return slices.Equal(slices.Sorted(strings.SplitSeq(a, "\n")), slices.Sorted(strings.SplitSeq(b, "\n")))
}

// paths are those of up to three segments that patterns of a [source] tell apart.
var paths = func() (all [][]string) {
	segments := []string{"", "a", "b", "A", "7", "1", "aa", "%C3%BC", "c", someUUID}
	for _, x := range segments {
		all = append(all, []string{x})
		for _, y := range segments {
			all = append(all, []string{x, y})
			for _, z := range segments {
				all = append(all, []string{x, y, z}, []string{x, y, z, ""}, []string{x, y, z, "c"})
			}
		}
	}
	return all
}()

// FuzzConflicts compares what is refused with what patterns take out of many paths.
func FuzzConflicts(f *testing.F) {
	for i := range 60 {
		f.Add([]byte{byte(i), 0, 0, 3, byte(i), 4, byte(3 * i), byte(i / 3), 0, 0, 0, 0, 0, 0, 0, 3, 4, byte(5 * i), byte(i), byte(i / 7), 0, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, ruleBytes []byte) {
		src := source(ruleBytes)
		var rules []string
		for range 2 + src.number(3) {
			rules = append(rules, src.pattern())
		}
		_, err := compile(t, rules...)
		ref := referenceOf(rules)
		takes := make([][]bool, len(ref))
		for i := range ref {
			for _, path := range paths {
				takes[i] = append(takes[i], ref[i].takesPath(path, func(literal, segment string) bool { return literal == segment }))
			}
		}
		found := ""
		for i := range ref {
			for j := range i {
				if path := ref.undecided(i, j, takes); path != nil {
					found = fmt.Sprintf("%s and %s both take /%s", rules[j], rules[i], strings.Join(path, "/"))
				}
			}
		}
		if (err != nil) != (found != "") {
			t.Errorf("%q: Compile says %v; %s", rules, err, found)
		}
		for line := range strings.Lines(fmt.Sprint(err)) {
			checkExample(t, ref, line)
		}
	})
}

// undecided returns a path that patterns i and j take, and no pattern that is preferred
// to both, where they are equal in what decides first and neither contains the other.
func (ref reference) undecided(i, j int, takes [][]bool) []string {
	a, b := &ref[i], &ref[j]
	methods := common(a.methods, b.methods)
	if a.host != b.host || methods == nil {
		return nil
	}
	onlyA := anyOf(func(k int) bool { return takes[i][k] && !takes[j][k] })
	onlyB := anyOf(func(k int) bool { return takes[j][k] && !takes[i][k] })
	if onlyA && onlyB { // what a prefix takes beside all that is below it does not count then
		onlyA = anyOf(func(k int) bool { return takes[i][k] && !takes[j][k] && len(paths[k]) >= len(a.segments) })
		onlyB = anyOf(func(k int) bool { return takes[j][k] && !takes[i][k] && len(paths[k]) >= len(b.segments) })
	}
	if onlyA != onlyB || !onlyA && contained(a.methods, b.methods) {
		return nil
	}
	if slices.ContainsFunc(ref, func(c asked) bool {
		isLeft := func(m string) bool { return len(c.methods) > 0 && !slices.Contains(c.methods, m) }
		return c.host == a.host && c.rule != a.rule && c.rule != b.rule && c.precedence(a) < 0 && c.precedence(b) < 0 &&
			!slices.ContainsFunc(methods, isLeft) && !anyOf(func(k int) bool { return takes[i][k] && takes[j][k] && !takes[c.rule][k] })
	}) {
		return nil
	}
	for k, path := range paths {
		if takes[i][k] && takes[j][k] {
			return path
		}
	}
	return nil
}

func anyOf(is func(k int) bool) bool {
	for k := range paths {
		if is(k) {
			return true
		}
	}
	return false
}

// contained reports whether one of a and b, which differ, has all of the other.
func contained(a, b []string) bool {
	in := func(a, b []string) bool {
		return len(b) == 0 || len(a) > 0 && !slices.ContainsFunc(a, func(m string) bool { return !slices.Contains(b, m) })
	}
	return in(a, b) != in(b, a)
}

// common returns the methods of both, X for one that nobody names.
func common(a, b []string) (both []string) {
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "X"} {
		if (len(a) == 0 || slices.Contains(a, m)) && (len(b) == 0 || slices.Contains(b, m)) {
			both = append(both, m)
		}
	}
	return both
}

// checkExample checks that the rules that an error names take what it says they do.
func checkExample(t *testing.T, ref reference, line string) {
	t.Helper()
	_, example, found := strings.Cut(line, ": both match ")
	if !found {
		return
	}
	example, _, _ = strings.Cut(example, " and neither")
	r := request(example)
	quoted := strings.Split(line, `"`)
	for _, name := range []string{quoted[1], quoted[3]} {
		rule, _ := strconv.Atoi(name)
		if !slices.ContainsFunc(ref, func(a asked) bool {
			return a.rule == rule && a.takesHost(r.Host) && a.takesPath(sentSegments(r), isSent) && (len(a.methods) == 0 || slices.Contains(a.methods, r.Method))
		}) {
			t.Errorf("%s does not take %s: %s", name, example, line)
		}
	}
}
