package clients

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Scripts in pages of several origins call the program, which is of another.
// Each call is to a path of its own, so that the browser knows nothing of it.
func TestCORS(t *testing.T) {
	browser := startBrowser(t)
	port := startPages(t)
	backends := "BACKENDS=" + startBackend(t)
	var (
		local   = "http://localhost:" + port // the origin that is allowed
		address = "http://127.0.0.1:" + port // the same server, and another origin
		app     = "http://app.localhost:" + port
	)
	pages := map[string]*page{}
	for _, origin := range []string{local, address, app} {
		pages[origin] = open(t, browser, origin)
	}
	allowed := []string{"CORS_ALLOWED_ORIGINS=" + local, "CORS_ALLOWED_HEADERS=Content-Type,X-Custom", "CORS_EXPOSED_HEADERS=X-Total"}
	programs := map[string]*spangate{
		"off":         startSpangate(t, backends),
		"list":        startSpangate(t, append(allowed, backends, "MAX_REQUEST_BODY=1KiB")...),
		"credentials": startSpangate(t, append(allowed, backends, "CORS_ALLOW_CREDENTIALS=true")...),
		"below":       startSpangate(t, backends, "CORS_ALLOWED_ORIGINS=http://*.localhost:"+port),
		"any":         startSpangate(t, backends, "CORS_ALLOWED_ORIGINS=*", "CORS_ALLOWED_METHODS=*", "CORS_ALLOWED_HEADERS=*", "CORS_EXPOSED_HEADERS=*"),
	}
	total := map[string]string{"x-total": "2"}
	get := fetched{Status: 200, Body: "GET custom= cookie=", Header: total}
	getCustom := fetched{Status: 200, Body: "GET custom=1 cookie=", Header: total}
	const custom = `{headers: {"X-Custom": "1"}}`

	n := 0
	for _, test := range []struct {
		name     string
		program  string
		origin   string
		path     string // empty: one of its own
		init     string // of fetch()
		want     fetched
		requests string // that came to the program, with their statuses
	}{
		{"off, and what the backend says", "off", address, "", `{}`, fetched{Status: 200, Body: get.Body, Header: map[string]string{"x-secret": "1"}}, "GET 200"},
		{"allowed", "list", local, "", `{}`, get, "GET 200"},
		{"allowed, any", "any", address, "", `{}`, fetched{Status: 200, Body: get.Body}, "GET 200"},
		{"allowed, below a domain", "below", app, "", `{}`, fetched{Status: 200, Body: get.Body}, "GET 200"},
		{"refused", "list", address, "", `{}`, fetched{Refused: "MissingAllowOriginHeader"}, "GET 200"},
		{"refused, below a domain", "list", app, "", `{}`, fetched{Refused: "MissingAllowOriginHeader"}, "GET 200"},
		{"refused, the domain itself", "below", local, "", `{}`, fetched{Refused: "MissingAllowOriginHeader"}, "GET 200"},
		{"refused, out of a sandbox", "list", "null", "", `{}`, fetched{Refused: "TypeError: Failed to fetch"}, "GET 200"},
		{"allowed, any out of a sandbox", "any", "null", "", `{}`, fetched{Status: 200, Body: get.Body}, "GET 200"},

		{"credentials set", "credentials", local, "/login", `{credentials: "include"}`, get, "GET 200"},
		{"credentials sent", "credentials", local, "", `{credentials: "include"}`, fetched{Status: 200, Body: "GET custom= cookie=session=1", Header: total}, "GET 200"},
		{"credentials left out", "credentials", local, "", `{}`, get, "GET 200"},
		{"credentials and a preflight", "credentials", local, "", `{method: "PUT", credentials: "include", headers: {"X-Custom": "1"}}`, fetched{Status: 200, Body: "PUT custom=1 cookie=session=1", Header: total}, "OPTIONS 204, PUT 200"},
		{"credentials from elsewhere", "credentials", app, "", `{credentials: "include"}`, fetched{Refused: "MissingAllowOriginHeader"}, "GET 200"},
		{"credentials not allowed", "list", local, "", `{credentials: "include"}`, fetched{Refused: "InvalidAllowCredentials"}, "GET 200"},
		{"credentials to all not allowed", "any", local, "", `{credentials: "include"}`, fetched{Refused: "WildcardOriginNotAllowed"}, "GET 200"},

		{"preflight", "list", local, "", `{method: "PUT", headers: {"X-Custom": "1"}}`, fetched{Status: 200, Body: "PUT custom=1 cookie=", Header: total}, "OPTIONS 204, PUT 200"},
		{"preflight of JSON", "list", local, "", `{method: "POST", headers: {"Content-Type": "application/json"}, body: "{}"}`, fetched{Status: 200, Body: "POST custom= cookie=", Header: total}, "OPTIONS 204, POST 200"},
		{"preflight of anything", "any", local, "", `{method: "PURGE", headers: {"X-Any": "1"}}`, fetched{Status: 200, Body: "PURGE custom= cookie="}, "OPTIONS 204, PURGE 200"},
		{"preflight refused, method", "list", local, "", `{method: "PURGE"}`, fetched{Refused: "PreflightMissingAllowOriginHeader"}, "OPTIONS 403"},
		{"preflight refused, header", "list", local, "", `{headers: {"X-Custom": "1", "X-Other": "1"}}`, fetched{Refused: "PreflightMissingAllowOriginHeader"}, "OPTIONS 403"},
		{"preflight refused, Authorization", "any", local, "", `{headers: {"Authorization": "Bearer x"}}`, fetched{Refused: "PreflightMissingAllowOriginHeader"}, "OPTIONS 403"},
		{"preflight refused, origin", "list", address, "", custom, fetched{Refused: "PreflightMissingAllowOriginHeader"}, "OPTIONS 403"},
		{"preflight asked", "list", local, "/kept", custom, getCustom, "OPTIONS 204, GET 200"},
		{"preflight kept", "list", local, "/kept", custom, getCustom, "OPTIONS 204, GET 200, GET 200"},

		{"a failure of the proxy", "list", local, "/die", `{method: "POST"}`, fetched{Status: 502, Body: "Bad Gateway"}, "POST 502"},
		{"a failure of the proxy, refused", "list", address, "/refused/die", `{method: "POST"}`, fetched{Refused: "MissingAllowOriginHeader"}, "POST 502"},
		{"a refusal of the proxy", "list", local, "", `{method: "POST", body: "x".repeat(2000)}`, fetched{Status: 413, Body: "Request Entity Too Large"}, "POST 413"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n++
			program, path := programs[test.program], test.path
			if path == "" {
				path = fmt.Sprintf("/%d", n)
			}
			var got fetched
			if test.origin == "null" {
				got = pages[local].fetchInSandbox(t, program.url+path, test.init)
			} else {
				got = pages[test.origin].fetch(t, program.url+path, test.init)
			}
			if got.Status >= 400 { // whose body is a problem with an id
				_, title, _ := strings.Cut(got.Body, `"title":"`)
				got.Body, _, _ = strings.Cut(title, `"`)
			}
			if test.program == "any" { // where pages see all there is
				if got.Refused == "" && (got.Header["x-total"] != "2" || got.Header["x-secret"] != "1") {
					t.Errorf("not exposed: %v", got.Header)
				}
				got.Header = nil
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("the page gets (-want +got):\n%s", diff)
			}
			requests := program.requests(t, path, strings.Count(test.requests, ",")+1)
			if diff := cmp.Diff(test.requests, strings.Join(requests, ", ")); diff != "" {
				t.Errorf("the program serves (-want +got):\n%s", diff)
			}
		})
	}
}
