package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRouteCommand holds what is said of a request: which route takes it, why no other
// one does, what comes of it, and what holds there.
func TestRouteCommand(t *testing.T) {
	t.Parallel()
	environ := []string{
		"PLATFORM=none", "BACKENDS=http://web:3000", "RATE_LIMIT=50/s", "ROUTES=api,write,old,beta",
		"ROUTE_API_MATCH=/api/*", "ROUTE_API_STRIP=/api", "ROUTE_API_BACKENDS=http://api:8080", "ROUTE_API_RATE_LIMIT=20/s",
		"ROUTE_WRITE_MATCH=POST|PUT shop.example.com/*", "ROUTE_WRITE_BACKENDS=@api",
		"ROUTE_OLD_MATCH=/manual/{rest...}", "ROUTE_OLD_REDIRECT=308 /docs/{rest}",
		"ROUTE_BETA_MATCH=/beta", "ROUTE_BETA_HEADERS=X-Beta: 1", "ROUTE_BETA_CLIENTS=192.0.2.0/24", "ROUTE_BETA_CANARY_BACKENDS=http://v2", "ROUTE_BETA_CANARY=5%",
	}
	for _, test := range []struct {
		args string // with | between them
		want []string
	}{
		{"/api/users?page=2", []string{
			"GET http://localhost/api/users?page=2, from 127.0.0.1",
			"api (/api/*): takes it", "beta (/beta): path /api/users is not /beta",
			"api sends, once its doors let the request in, to http://api:8080:", "GET /users?page=2", "X-Forwarded-Prefix: /api",
			"ROUTE_API_RATE_LIMIT        set      20/s",
		}},
		{"POST https://shop.example.com/cart|-H|X-A: b", []string{
			"write (POST|PUT shop.example.com/*): takes it", "to http://api:8080:", "POST /cart", "X-A: b", "X-Forwarded-Proto: https",
			"ROUTE_WRITE_BACKENDS          set        @api", "ROUTE_WRITE_RATE_LIMIT        inherited  50/s",
		}},
		{"https://shop.example.com/cart", []string{
			"write (POST|PUT shop.example.com/*): method GET is not POST, PUT", "default sends, once its doors let the request in, to http://web:3000:",
			"RATE_LIMIT        set      50/s",
		}},
		{"/manual/a/b", []string{"old answers, once its doors let the request in: 308", "Location: /docs/a/b"}},
		{"/beta", []string{"beta (/beta): header X-Beta is missing"}},
		{"/beta|-H|X-Beta: 2", []string{"beta (/beta): header X-Beta is not 1"}},
		{"/beta|-H|X-Beta: 1", []string{"beta (/beta): client 127.0.0.1 is not in 192.0.2.0/24"}},
		{"/beta|-H|X-Beta: 1|--client|192.0.2.9", []string{"beta (/beta): takes it", "from 192.0.2.9", "5 % of such requests to http://v2"}},
		{"/x/..%2fapi/1", []string{"400: /x/..%2fapi/1 may be read as /api/1, which api (/api/*) takes"}},
		{"", []string{"route: write it like this: spangate route 'POST https://shop.example.com/cart' -H 'X-Beta: 1' --client 192.0.2.1"}},
		{"ftp://x/", []string{`route: "ftp://x/" must be a URL of http or https, or a path, with a method before it if that is not GET`}},
		{"/|-H|X", []string{`route: -H "X" must be a field, such as 'X-Beta: 1'`}},
		{"/|-H|X A: 1", []string{`route: -H "X A: 1" must be a field, such as 'X-Beta: 1'`}},
		{"/|-H|X-A : 1", []string{`route: -H "X-A : 1" must be a field, such as 'X-Beta: 1'`}},
		{"/|-H|X-A: 1\r\nX-B: 2", []string{`route: -H "X-A: 1\r\nX-B: 2" must be a field, such as 'X-Beta: 1'`}},
		{"http://me:secret@shop.example.com/", []string{"route: the URL has a user in it, which no request may have"}},
		{"/|--client|me", []string{`route: --client "me" must be an address, such as 192.0.2.1`}},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			args := []string{"route"}
			if test.args != "" {
				args = append(args, strings.Split(test.args, "|")...)
			}
			if err := command(t.Context(), args, environ, &out); err != nil {
				out.WriteString(err.Error())
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("does not say %q:\n%s", want, &out)
				}
			}
		})
	}
	var out bytes.Buffer
	err := command(t.Context(), []string{"route", "/"}, []string{"BACKENDS=http://a"}, &out)
	if diff := cmp.Diff("route: there are no routes: ROUTES is not set, and BACKENDS takes all requests", err.Error()); diff != "" {
		t.Errorf("without routes (-want +got):\n%s", diff)
	}
}
