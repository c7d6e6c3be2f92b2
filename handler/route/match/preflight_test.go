package match_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/route/match"
)

// A preflight names fields, and does not say what they will be: all rules that may take
// the request that it asks for are known, the most specific first.
func TestPreflight(t *testing.T) {
	table := compiled(t, "/*", "/*; headers X-Beta: 1", "/*; headers X-Beta: 2", "/team/*; headers X-Team", "PUT /put", "/json; content application/json", "/me; headers Cookie", "/team/q; query p=1; headers X-Team: a", "x.org/admin/*")
	for text, want := range map[string]string{
		"/; Access-Control-Request-Headers: x-other":                                          "[0]",
		"/; Access-Control-Request-Headers: x-beta":                                           "[1 2 0]",
		"/team/; Access-Control-Request-Headers: x-team":                                      "[3]",
		"/team/; Access-Control-Request-Headers: x-a, x-beta,x-team":                          "[3]",
		"/team/; Access-Control-Request-Headers: x-a; Access-Control-Request-Headers: x-team": "[3]",
		"/team/; X-Team: a": "[3]", // more than browsers say
		"/put":              "[4]",
		"/json":             "[5 0]", // a form needs no announcement
		"/json; Access-Control-Request-Headers: content-type": "[5 0]",
		"/me": "[6 0]",
		"/team/q?p=1; Access-Control-Request-Headers: x-team":         "[7 3]",
		"/team/q?p=2; Access-Control-Request-Headers: x-team":         "[3]",
		"x.org/admin%2fx; Access-Control-Request-Headers: x-beta":     "[]",
		"a..b/; Access-Control-Request-Headers: x-beta":               "[]",
		"x.org/admin/x; Access-Control-Request-Headers: x-team, \x00": "[8]",
	} {
		r := request("OPTIONS " + text + "; Origin: https://a.test; Access-Control-Request-Method: PUT")
		asked := match.Asked(r)
		if asked == nil {
			t.Fatalf("%s: no preflight", text)
		}
		var got []int
		for _, m := range table.Routes(asked, r.Host, client) {
			got = append(got, m.Route)
		}
		if diff := cmp.Diff(want, fmt.Sprint(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		if r.Method != "OPTIONS" || len(r.Header["Accept"]) > 0 {
			t.Errorf("%s: the preflight itself has become %s %v", text, r.Method, r.Header)
		}
	}
	for _, text := range []string{"GET /; Origin: https://a.test; Access-Control-Request-Method: PUT", "OPTIONS /; Access-Control-Request-Method: PUT", "OPTIONS /; Origin: https://a.test", "OPTIONS /; Origin: https://a.test; Access-Control-Request-Method: PUT; Access-Control-Request-Method: GET"} {
		if match.Asked(request(text)) != nil {
			t.Errorf("%s is taken for a preflight", text)
		}
	}
}
