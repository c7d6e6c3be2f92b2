package match_test

import (
	"strings"
	"testing"

	"spangate/handler/route/match"
)

// TestSitesReadTheSamePath has a table with a door look at a path by two sites.
func TestSitesReadTheSamePath(t *testing.T) {
	var rules []match.Rule
	for i, text := range []string{"/*", "/page", "/one", "example.com/other"} {
		r := rule(t, text, text)
		r.Door = []match.Door{0, 0, 1, 0}[i]
		rules = append(rules, r)
	}
	table, err := match.Compile(rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"example.com./page": false, "example.com./page/": false, "example.com./one": false, "example.com./one/": true} {
		r := request(text)
		if why := table.Ambiguity(r, r.Host, client); (why != "") != want {
			t.Errorf("%s: %q", text, why)
		}
	}
}

// TestSlashesPassNoDoor has a slash too many, or one too few, lead by another door, by the
// same one, and by none.
func TestSlashesPassNoDoor(t *testing.T) {
	var rules []match.Rule
	for i, text := range []string{"/*", "/open", "/one", "/one/", "/two/{x}", "/tree/{rest...}", "/all/*", "/all/other"} {
		r := rule(t, text, text)
		r.Door = []match.Door{1, 0, 1, 2, 2, 2, 2, 3}[i]
		rules = append(rules, r)
	}
	for _, rest := range []*match.Rule{nil, {Door: 1}} {
		if rest != nil {
			rules = rules[1:] // it answers instead of /*
		}
		table, err := match.Compile(rules, rest)
		if err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]string{
			"/open": "", "/open/": "", // behind the rest's door, which is the stricter one
			"/one": "", "/one/": "", "/One": "/one", "/one//": "/one",
			"/two": "", "/two/": "", "/two/x": "", "/two/x/": "/two/x", "/two/x%2F": "/two/x", "/two/x/;a": "/two/x", "/two/x/y/": "",
			"/tree": "/tree/", "/tree/": "", "/tree/x/": "",
			"/all": "", "/all/": "", "/all/other": "", "/all/other/": "/all/other",
			"/": "",
		} {
			r := request(text)
			why := table.Ambiguity(r, r.Host, client)
			if _, read, _ := strings.Cut(why, "may be read as "); (want == "") != (why == "") || !strings.HasPrefix(read, want) {
				t.Errorf("%s, the rest is %v: %q, want it read as %q", text, rest, why, want)
			}
		}
	}
}
