package match_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/route/match"
)

// gateway are the conformance tests of the Gateway API's HTTPRoute (kubernetes-sigs/
// gateway-api, conformance/tests, by the names of their files) that are about matching.
// A rule is written as backend: pattern; conditions, one for each of its matches.
//
// Left out is what is about listeners and certificates. Where an answer differs from
// theirs it says so.
var gateway = map[string]struct {
	rules []string
	want  map[string]string
}{
	"httproute-matching": {[]string{"v1: /*", "v1: /*; headers Version: one", "v2: /v2/*", "v2: /*; headers Version: two"}, map[string]string{
		"/": "v1", "/example": "v1", "/; Version: one": "v1", "/v2": "v2", "/v2/example": "v2", "/; Version: two": "v2",
		"/v2/": "v2", "/v2example": "v1", "/foo/v2/example": "v1",
	}},
	"httproute-matching-across-routes": {[]string{
		"v1: example.com/*,example.net/*", "v1: example.com/*,example.net/*; headers Version: one", "v2: example.com/v2/*", "v2: example.com/*; headers Version: two",
	}, map[string]string{
		"example.com/": "v1", "example.com/example": "v1", "example.net/example": "v1", "example.com/example; Version: one": "v1", "example.com/v2": "v2",
		"example.net/v2": "v1", "example.com/v2/example": "v2", "example.com/; Version: two": "v2",
	}},
	"httproute-exact-path-matching": {[]string{"v1: /one", "v2: /two"}, map[string]string{
		"/one": "v1", "/two": "v2", "/": "none", "/one/example": "none", "/two/": "none", "/Two": "none",
	}},
	"httproute-path-match-order": {[]string{"v1: /match", "v2: /match/exact", "v3: /match/exact/one", "v3: /match/*", "v1: /match/prefix/*", "v2: /match/prefix/one/*"}, map[string]string{
		"/match/exact/one": "v3", "/match/exact": "v2", "/match": "v1", "/match/prefix/one/any": "v2", "/match/prefix/any": "v1", "/match/any": "v3",
	}},
	"httproute-header-matching": {[]string{ // without the matches of Color alone, which go before or after those of Version by the order of the rules: refused here
		"v1: /*; headers Version: one", "v2: /*; headers Version: two", "v1: /*; headers Version: two,Color: orange",
	}, map[string]string{
		"/; Version: one": "v1", "/; Version: two": "v2", "/; Version: two; Color: orange": "v1", "/; Version: two; Color: blue": "v2",
		"/; Color: orange": "none", "/; Some-Other-Header: one": "none",
	}},
	"httproute-header-matching, one of several values": {[]string{
		"v1: /*; headers Color: blue", "v1: /*; headers Color: green", "v2: /*; headers Color: red", "v2: /*; headers Color: yellow",
	}, map[string]string{
		"/; Color: blue": "v1", "/; Color: green": "v1", "/; Color: red": "v2", "/; Color: yellow": "v2", "/; Color: purple": "none",
	}},
	"httproute-query-param-matching": {[]string{
		"v1: /*; query animal=whale", "v2: /*; query animal=dolphin", "v3: /*; query animal=dolphin,color=blue",
		"v1: /path1/*; query animal=whale", "v2: /*; headers Version: one; query animal=whale", "v3: /path2/*; headers Version: two; query animal=whale",
		"v1: /path3/*; query animal=shark", "v1: /path4/*; headers Version: three; query animal=kraken",
		"v1: /path5/*", "v2: /*; query animal=hydra", "v3: /*; headers Version: four",
	}, map[string]string{
		"/?animal=whale": "v1", "/?animal=dolphin": "v2", "/?animal=dolphin&color=blue": "v3", "/?animal=whale&otherparam=irrelevant": "v1",
		"/?animal=dolphin&color=yellow": "v2", "/?color=blue": "none", "/?animal=dog": "none", "/?animal=whaledolphin": "none", "/": "none",
		"/path1?animal=whale": "v1", "/?animal=whale; Version: one": "v2", "/path2?animal=whale; Version: two": "v3",
		"/path3?animal=shark": "v1", "/path4?animal=kraken; Version: three": "v1", "/?animal=shark": "none", "/path4?animal=kraken": "none",
		"/path5?animal=hydra": "v1", "/?animal=hydra; Version: four": "v3",
	}},
	"httproute-query-param-matching, case": {[]string{"v1: /*; query animal=whale", "v3: /x/*; query ANIMAL=Whale"}, map[string]string{
		"/x?animal=whale": "v1", "/x?ANIMAL=Whale": "v3", "/x?animal=Whale": "none",
	}},
	"httproute-method-matching": {[]string{
		"v1: POST /*", "v2: GET /*", "v1: GET /path1/*", "v2: PUT /*; headers Version: one", "v3: POST /path2/*; headers Version: two",
		"v1: PATCH /path3/*", "v1: DELETE /path4/*; headers Version: three", "v1: /path5/*", "v2: PATCH /*", "v3: /*; headers Version: four",
	}, map[string]string{
		"POST /": "v1", "GET /": "v2", "HEAD /": "v2", // theirs is 404: a GET of theirs is no HEAD
		"GET /path1": "v1", "PUT /; Version: one": "v2", "POST /path2; Version: two": "v3", "PATCH /path3": "v1", "DELETE /path4; Version: three": "v1",
		"PUT /": "allow GET, HEAD, PATCH, POST", "DELETE /path4": "allow GET, HEAD, PATCH, POST", // theirs is 404
		"PATCH /path5": "v1", "PATCH /; Version: four": "v2",
	}},
	"httproute-hostname-intersection": {[]string{
		"v1: very.specific.com/s1/*", "v2: *.wildcard.io/s2/*", "v3: very.specific.com/s3/*", "v1: *.anotherwildcard.io/s4/*",
	}, map[string]string{
		"very.specific.com/s1": "v1", "very.specific.com:1234/s1": "v1", "non.matching.com/s1": "none", "foo.wildcard.io/s1": "none", "very.specific.com/non-matching-prefix": "none",
		"foo.wildcard.io/s2": "v2", "bar.wildcard.io/s2": "v2", "foo.bar.wildcard.io/s2": "v2", "wildcard.io/s2": "none", "very.specific.com/s2": "none",
		"very.specific.com/s3": "v3", "foo.specific.com/s3": "none", "foo.anotherwildcard.io/s4": "v1", "foo.bar.anotherwildcard.io/s4": "v1", "anotherwildcard.io/s4": "none",
	}},
	"httproute-hostname-intersection, all": {[]string{"v2: first.com/*,*.first.com/*,second.com/*,*.second.com/*"}, map[string]string{
		"first.com/": "v2", "sub.first.com/": "v2", "second.com/": "v2", "sub.second.com/": "v2", "third.com/": "none", "sub.third.com/": "none",
	}},
	"httproute-listener-hostname-matching": {[]string{"v1: bar.com/*", "v2: foo.bar.com/*", "v3: *.bar.com/*,*.foo.com/*"}, map[string]string{
		"bar.com/": "v1", "foo.bar.com/": "v2", "baz.bar.com/": "v3", "boo.bar.com/": "v3", "multiple.prefixes.bar.com/": "v3", "multiple.prefixes.foo.com/": "v3",
		"foo.com/": "none", "no.matching.host/": "none",
	}},
}

func TestGatewayAPI(t *testing.T) {
	for file, test := range gateway {
		t.Run(file, func(t *testing.T) {
			var rules, names []string
			for _, rule := range test.rules {
				name, text, _ := strings.Cut(rule, ": ")
				rules, names = append(rules, text), append(names, name)
			}
			table := compiled(t, rules...)
			got := map[string]string{}
			for text := range test.want {
				r := request(text)
				var m match.Match
				if table.Match(&m, r, r.Host, client); m.Route >= 0 && !m.Ambiguous {
					got[text] = names[m.Route]
				} else {
					got[text] = outcome(table, r)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", slices.Sorted(maps.Keys(test.want)), diff)
			}
		})
	}
}

// Where the Gateway API goes by the order of rules that are equal, the start is refused.
func TestGatewayAPIByOrder(t *testing.T) {
	for file, test := range map[string]struct{ rules []string }{
		"httproute-header-matching":      {[]string{"/*; headers Version: one", "/*; headers Color: red"}},
		"httproute-query-param-matching": {[]string{"/*; query animal=whale", "/*; query ANIMAL=Whale"}},
	} {
		if _, err := compile(t, test.rules...); err == nil {
			t.Errorf("%s: %q is not refused", file, test.rules)
		}
	}
}
