package match_test

import (
	"fmt"
	"net/http/httptest"
	"net/netip"

	"spangate/handler/route/match"
)

func ExampleTable_Match() {
	var users, web match.Config
	users.Patterns.UnmarshalText([]byte("/users/{id:int}/*"))
	web.Patterns.UnmarshalText([]byte("/*"))
	table, err := match.Compile([]match.Rule{{Name: "web", Config: &web}, {Name: "users", Config: &users}}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range []string{"/users/7/posts", "/users/x", "/users/7%2Fposts", "/x/..;/users/7"} {
		var m match.Match
		r := httptest.NewRequest("GET", path, nil)
		table.Match(&m, r, r.Host, netip.Addr{})
		id, _ := m.Value("id")
		fmt.Printf("%s: route %d, %s, id %q, ambiguous %t\n", path, m.Route, m.Pattern, id, m.Ambiguous)
	}
	r := httptest.NewRequest("GET", "/x/..;/users/7", nil)
	fmt.Println(table.Ambiguity(r, r.Host, netip.Addr{}))
	// Output:
	// /users/7/posts: route 1, /users/{id:int}/*, id "7", ambiguous false
	// /users/x: route 0, /*, id "", ambiguous false
	// /users/7%2Fposts: route 0, /*, id "", ambiguous true
	// /x/..;/users/7: route 0, /*, id "", ambiguous true
	// /x/..;/users/7 may be read as /users/7, which users (/users/{id:int}/*) takes
}
