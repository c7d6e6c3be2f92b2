package match_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/route/match"
)

func TestExplain(t *testing.T) {
	table := compiled(t,
		"/*", "GET|POST shop.example.com/cart", "*.example.com/cart; headers X-Beta: 1,X-Team", "*.example.com/cart; headers X-Team: a; query preview=1",
		"/cart; clients 192.0.2.0/24; content application/json", "/cart; content application/json", "/users/{id:int}",
	)
	for text, want := range map[string][]string{
		"POST shop.example.com/cart": {
			"1 GET|POST shop.example.com/cart: ",
			"2 *.example.com/cart: header X-Beta is missing",
			"3 *.example.com/cart: header X-Team is missing",
			"4 /cart: client 10.0.0.1 is not in 192.0.2.0/24",
			`5 /cart: content type "" is not application/json`,
			"6 /users/{id:int}: path /cart is not /users/{id:int}",
			"0 /*: 1 (GET|POST shop.example.com/cart) is more specific",
		},
		"PUT a.example.com/cart; X-Beta: 2; X-Team: a; Content-Type: application/json": {
			"1 GET|POST shop.example.com/cart: host a.example.com is not shop.example.com",
			"2 *.example.com/cart: header X-Beta is not 1",
			"3 *.example.com/cart: query parameter preview is missing",
			"4 /cart: client 10.0.0.1 is not in 192.0.2.0/24",
			"5 /cart: ",
			"6 /users/{id:int}: path /cart is not /users/{id:int}",
			"0 /*: 5 (/cart) is more specific",
		},
		"PUT shop.example.com/users/x?preview=2": {
			"1 GET|POST shop.example.com/cart: method PUT is not GET, HEAD, POST",
			"2 *.example.com/cart: path /users/x is not /cart",
			"3 *.example.com/cart: path /users/x is not /cart",
			"4 /cart: path /users/x is not /cart",
			"5 /cart: path /users/x is not /cart",
			"6 /users/{id:int}: path /users/x is not /users/{id:int}",
			"0 /*: ",
		},
		"a.example.com/cart?preview=2; X-Team: a": {
			"1 GET|POST shop.example.com/cart: host a.example.com is not shop.example.com",
			"2 *.example.com/cart: header X-Beta is missing",
			"3 *.example.com/cart: query parameter preview is not 1",
			"4 /cart: client 10.0.0.1 is not in 192.0.2.0/24",
			`5 /cart: content type "" is not application/json`,
			"6 /users/{id:int}: path /cart is not /users/{id:int}",
			"0 /*: ",
		},
	} {
		r := request(text)
		var got []string
		for _, v := range table.Explain(r, r.Host, client) {
			got = append(got, v.Name+" "+v.Pattern.String()+": "+v.Why)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// The one that takes a request is the one of which Explain says so.
func TestExplainAgreesWithMatch(t *testing.T) {
	for file, test := range gateway {
		var rules []string
		for _, rule := range test.rules {
			_, text, _ := strings.Cut(rule, ": ")
			rules = append(rules, text)
		}
		table := compiled(t, rules...)
		for text := range test.want {
			r := request(text)
			var m match.Match
			table.Match(&m, r, r.Host, client)
			taken := -1
			for _, v := range table.Explain(r, r.Host, client) {
				if v.Why == "" {
					taken = v.Rule
				}
			}
			if taken != m.Route {
				t.Errorf("%s: %s: rule %d takes it, %d is said to", file, text, m.Route, taken)
			}
		}
	}
}

func TestAmbiguity(t *testing.T) {
	table := compiled(t, "/*", "/admin/*", "/open/{x}", "example.com/*")
	for text, want := range map[string]string{
		"/":                     "",
		"/admin/%2e%2e":         "/admin/%2e%2e may be read as /, which 0 (/*) takes",
		"/x/..;a=b/admin/c%20d": "/x/..;a=b/admin/c%20d may be read as /admin/c d, which 1 (/admin/*) takes",
		"/Admin/X":              "/Admin/X may be read as /admin/x, which 1 (/admin/*) takes",
		"/index.php/admin":      "/index.php/admin may be read as /admin, which 1 (/admin/*) takes",
		"/open/a%2Fb":           "/open/a%2Fb may be read as /open/a/b, which 0 (/*) takes",
		"example.com./x":        "/x may be read as example.com/x, which 3 (example.com/*) takes",
		"a,b/x":                 `host "a,b" is no name that all servers would read alike`,
		"/%c0%ae":               `path "/%c0%ae" may be read in too many ways`,
	} {
		r := request(text)
		if got := table.Ambiguity(r, r.Host, client); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestOrdered(t *testing.T) {
	table := compiled(t, "/*,/a/b", "POST|PUT *.example.com/*", "*.a.example.com/*,example.com/", "POST /a/{x:int}/c", "/a/{x}/{rest...}", "/a/b/*; headers X", "/a/b/*; clients 10.0.0.0/8; headers X", "/a/{x:int}/c", "DELETE|PATCH|PUT /a/{x:int}/c", "/a/b/*; headers X: 1", "/a/b/*; headers X: 2", "/a/{x}")
	var got []string
	for _, v := range table.Ordered() {
		got = append(got, v.Name+" "+v.Pattern.String())
	}
	want := []string{
		"2 example.com/", "2 *.a.example.com/*", "1 POST|PUT *.example.com/*",
		"0 /a/b", "6 /a/b/*", "9 /a/b/*", "10 /a/b/*", "5 /a/b/*", "3 POST /a/{x:int}/c", "8 DELETE|PATCH|PUT /a/{x:int}/c", "7 /a/{x:int}/c", "11 /a/{x}", "4 /a/{x}/{rest...}", "0 /*",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
