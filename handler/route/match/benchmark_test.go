package match_test

import (
	"fmt"
	"strings"
	"testing"

	"spangate/handler/route/match"
)

// many returns n rules for one host, and of several.
func many(n int) (rules []string) {
	for i := range n {
		switch i % 4 {
		case 0:
			rules = append(rules, fmt.Sprintf("/service-%d/*", i))
		case 1:
			rules = append(rules, fmt.Sprintf("GET|POST /service-%d/{id:int}/items/{item}", i))
		case 2:
			rules = append(rules, fmt.Sprintf("s%d.example.com/api/*", i))
		case 3:
			rules = append(rules, fmt.Sprintf("/service-%d/{rest...}; headers X-Beta: 1", i))
		}
	}
	return rules
}

// BenchmarkMatch shows that it does not matter how many rules there are.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		table := compiled(b, append(many(n-1), "/*")...)
		last := (n - 1) / 4 * 4
		for name, text := range map[string]string{
			"first":    "www.example.com/service-0/index.html",
			"template": fmt.Sprintf("www.example.com/service-%d/17/items/x", max(1, last-3)),
			"host":     fmt.Sprintf("s%d.example.com/api/users", max(2, last-2)),
			"rest":     "www.example.com/static/css/main.css?v=12",
			"Capital":  "www.example.com/static/README.md",
			"escaped":  "www.example.com/static/a%2Fb%20c",
		} {
			b.Run(fmt.Sprintf("%s/rules=%d", name, n), func(b *testing.B) {
				r := request(text)
				var m match.Match
				b.ReportAllocs()
				for b.Loop() {
					table.Match(&m, r, r.Host, client)
				}
			})
		}
	}
}

// BenchmarkCompile is what a start pays for.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		var rules []match.Rule
		for i, text := range many(n) {
			rules = append(rules, rule(b, fmt.Sprint(i), strings.Split(text, "; ")...))
		}
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := match.Compile(rules, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// hostile are requests that are to cost as much as possible.
func hostile() map[string]string {
	const size = 64 << 10
	long := func(prefix, unit string) string { return prefix + strings.Repeat(unit, size/len(unit)) }
	return map[string]string{
		"segments":                long("x.org/a/b", "/a/b/c"),
		"empty segments":          long("x.org/a", "/"),
		"one segment":             long("x.org/", "a"),
		"dots":                    long("x.org/a/b", "/../a/b"),
		"escaped dots":            long("x.org/a/b", "/%2e%2e/a/b"),
		"all at once":             long("x.org/a/b", `/..;x%2F%2e%2e\%5C;//.php/%3B`),
		"all, as long as is read": "x.org/" + strings.Repeat(`..;%2F%2e\/x.php/`, 4),
		"percent signs":           long("x.org/a/", "%25"),
		"question marks":          long("x.org/a/", "%3F"),
		"escaped slashes":         long("x.org/a", "%2F"),
		"letters":                 long("x.org/", "A%41/"),
		"parameters":              long("x.org/a/b?", "q=1&"),
		"different ones":          long("x.org/a/b?", "q=2&%71=1&"),
		"half of a pair":          long("x.org/a/b?", "%7"),
		"host":                    long("", "a.") + "x.org/a/b",
		"host of dots":            long("", ".") + "/a/b",
		"host of brackets":        long("", "[") + "/a/b",
		"host of addresses":       "[" + long("", "1:") + "]/a/b",
	}
}

// hostileTable has what makes looking for a rule expensive: variables beside literals
// at each depth, and conditions.
func hostileTable(t testing.TB) *match.Table {
	rules := []string{"/*", "/admin", "*.x.org/a/*", "x.org/a/b/*; query q=1", "x.org/a/b/*; query q=1,p=2"}
	for i := range 64 { // they differ in their last segment, which is looked at last
		var pattern strings.Builder
		for depth := range 6 {
			if i>>depth&1 == 0 {
				fmt.Fprintf(&pattern, "/{v%d}", depth)
			} else {
				pattern.WriteString("/" + string("abcabc"[depth]))
			}
		}
		rules = append(rules, fmt.Sprintf("%s/%d", &pattern, i))
	}
	return compiled(t, rules...)
}

// No request costs memory, whatever it is. BenchmarkHostile shows what time.
func TestHostile(t *testing.T) {
	table := hostileTable(t)
	for name, text := range hostile() {
		r := request(text)
		var m match.Match
		if n := testing.AllocsPerRun(3, func() { table.Match(&m, r, r.Host, client) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkHostile(b *testing.B) {
	table := hostileTable(b)
	for name, text := range hostile() {
		b.Run(name, func(b *testing.B) {
			r := request(text)
			b.SetBytes(int64(len(text)))
			var m match.Match
			for b.Loop() {
				table.Match(&m, r, r.Host, client)
			}
		})
	}
}
