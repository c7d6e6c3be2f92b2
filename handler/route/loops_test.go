package route_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
	"spangate/handler/route"
)

// TestLoops holds which redirects lead back to themselves: those of which that is plain
// without a request, and no others.
func TestLoops(t *testing.T) {
	for name, test := range map[string]struct {
		routes []string // MATCH REDIRECT, with | between them
		secure bool
		want   []string
	}{
		"to itself":              {[]string{"/old/*|/old/new"}, false, []string{`ROUTE_A_REDIRECT="/old/new": goes round in a circle: /old, /old/new, /old/new`}},
		"the rest of all":        {[]string{"/*|308 /down"}, false, []string{`ROUTE_A_REDIRECT="308 /down": goes round in a circle: /, /down, /down`}},
		"to each other":          {[]string{"/a|/b", "/b|308 /a"}, false, []string{`ROUTE_A_REDIRECT="/b": goes round in a circle: /a, /b, /a`, `ROUTE_B_REDIRECT="308 /a": goes round in a circle: /b, /a, /b`}},
		"by variables":           {[]string{"/a/{id}|/b/{id}{?}", "/b/{id}|/a/{id}{?}"}, false, []string{`ROUTE_A_REDIRECT="/b/{id}{?}": goes round in a circle: /a/id, /b/id, /a/id`, `ROUTE_B_REDIRECT="/a/{id}{?}": goes round in a circle: /b/id, /a/id, /b/id`}},
		"into a circle":          {[]string{"/a|/b", "/b|/c", "/c|/b"}, false, []string{`ROUTE_B_REDIRECT="/c": goes round in a circle: /b, /c, /b`, `ROUTE_C_REDIRECT="/b": goes round in a circle: /c, /b, /c`}},
		"deeper and deeper":      {[]string{"/a/*|/a{path}"}, false, []string{`ROUTE_A_REDIRECT="/a{path}": goes round in a circle: /a, /a/a, /a/a/a, /a/a/a/a, …`}},
		"from host to host":      {[]string{"x.org/*|301 http://www.x.org{path}{?}", "www.x.org/*|301 http://x.org{path}{?}"}, false, []string{`ROUTE_A_REDIRECT="301 http://www.x.org{path}{?}": goes round in a circle: x.org/, http://www.x.org/, http://x.org/`, `ROUTE_B_REDIRECT="301 http://x.org{path}{?}": goes round in a circle: www.x.org/, http://x.org/, http://www.x.org/`}},
		"over HTTPS":             {[]string{"x.org/*|301 https://x.org/new"}, true, []string{`ROUTE_A_REDIRECT="301 https://x.org/new": goes round in a circle: x.org/, https://x.org/new, https://x.org/new`}},
		"with its method":        {[]string{"POST /a|307 /b", "POST /b|308 /a"}, false, []string{`ROUTE_A_REDIRECT="307 /b": goes round in a circle: /a, /b, /a`, `ROUTE_B_REDIRECT="308 /a": goes round in a circle: /b, /a, /b`}},
		"HTTPS is somebody's":    {[]string{"x.org/*|301 https://x.org/new", "y.org/*|https://{host}{path}{?}"}, false, nil},
		"the port is somebody's": {[]string{"/a|http://{host}:9000/a"}, false, nil},
		"the host is somebody's": {[]string{"/*|http://x.org/", "*.y.org/*|http://www.y.org/"}, false, nil},
		"another one takes it":   {[]string{"/old/*|/old/new", "/old/new|/b"}, false, nil},
		"another method":         {[]string{"POST /a|303 /b", "/b|/c", "POST /c|303 /b", "POST /d|301 /d"}, false, nil},
		"a query":                {[]string{"/a|/b?x", "/b|/c{?}"}, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var environ []string
			for i, r := range test.routes {
				pattern, redirect, _ := strings.Cut(r, "|")
				name := string(rune('A' + i))
				environ = append(environ, "ROUTE_"+name+"_MATCH="+pattern, "ROUTE_"+name+"_REDIRECT="+redirect)
			}
			environ = append(environ, "ROUTES="+"a,b,c,d"[:2*len(test.routes)-1])
			if diff := cmp.Diff(test.want, complaints(environ, test.secure)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	conditional := []string{"ROUTES=a,b", "ROUTE_A_MATCH=/a", "ROUTE_A_REDIRECT=/b", "ROUTE_B_MATCH=/b", "ROUTE_B_REDIRECT=/a", "ROUTE_B_HEADERS=Cookie"}
	if got := complaints(conditional, false); got != nil {
		t.Errorf("where more than the place decides: %q", got)
	}
}

// complaints returns what is wrong with routes.
func complaints(environ []string, secure bool) []string {
	var cfg struct {
		Route  route.Config
		Routes route.Routes
	}
	_, _, err := config.Load(&cfg, environ, func() error { return cfg.Routes.Check(&cfg.Route, secure) })
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}
