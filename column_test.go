package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestColumn holds README's life of a request against the stacks that it is built
// of: the same steps in the same order.
func TestColumn(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, column, _ := strings.Cut(string(text), "    main.go, run:")
	column, _, _ = strings.Cut(column, "handler.Forward ")
	var want []string
	for _, step := range regexp.MustCompile(`(?m)^ +[a-z]+\.([A-Za-z]+) `).FindAllStringSubmatch(column, -1) {
		want = append(want, step[1])
	}
	got := append(steps(t, "main.go"), steps(t, "handler/route/route.go")...)
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 10 {
		t.Errorf("steps (-README +code):\n%s", diff)
	}
}

// steps returns what wraps in each step of the stacks in a file, in order.
func steps(t *testing.T, path string) (all []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		field, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		if key, ok := field.Key.(*ast.Ident); ok && key.Name == "Wrap" {
			all = append(all, nameOf(field.Value))
		}
		return true
	})
	return all
}

// nameOf returns the name of the function, or of what has a method Wrap.
func nameOf(wrap ast.Expr) string {
	if call, ok := wrap.(*ast.CallExpr); ok {
		return nameOf(call.Fun)
	}
	switch wrap := wrap.(type) {
	case *ast.SelectorExpr:
		if wrap.Sel.Name == "Wrap" {
			name := nameOf(wrap.X)
			return strings.ToUpper(name[:1]) + name[1:]
		}
		return wrap.Sel.Name
	case *ast.Ident:
		if wrap.Name == "onPort" {
			return "Before"
		}
		return wrap.Name
	}
	return ""
}

// TestWhoIsRefusedTakesNoPlace fills the only place that there is, and then sends
// requests that other doors have something to say of.
func TestWhoIsRefusedTakesNoPlace(t *testing.T) {
	t.Parallel()
	const key = "X-Api-Key: " + apiKey
	for name, test := range map[string]struct {
		environ []string
		header  []string
		body    string
		want    string // the status, and who may see it
		reason  string // in the access log
	}{
		"a page sees that there is none": {header: []string{aPage, key}, want: "503 https://app.test", reason: "queue_full"},
		"without a key":                  {header: []string{aPage}, want: "401 https://app.test", reason: "missing"},
		"from where nobody may come":     {environ: []string{"DENY_CIDRS=127.0.0.2"}, header: []string{aPage, "X-Forwarded-For: 127.0.0.2"}, want: "403 https://app.test", reason: "denied"},
		"too often":                      {environ: []string{"RATE_LIMIT=1/h"}, header: []string{key}, want: "429 ", reason: "limited"},
		"with too large a body":          {environ: []string{"MAX_REQUEST_BODY=3"}, header: []string{key}, body: "four", want: "503 ", reason: "queue_full"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken, release := make(chan struct{}), make(chan struct{})
			backend := plainBackend(t, func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/hold" {
					close(taken)
					<-release
				}
			})
			p := start(t, append([]string{
				"BACKENDS=" + backend, "PROBE_MODE=off", "MAX_CONCURRENT_REQUESTS=1", "TRUSTED_PROXIES=127.0.0.1",
				"AUTH_API_KEYS=ci:" + apiKey, "CORS_ALLOWED_ORIGINS=https://app.test",
			}, test.environ...)...)
			var first sync.WaitGroup
			first.Go(func() { p.once(t.Context(), "GET", "/hold", nil, key) })
			<-taken
			defer first.Wait()
			defer close(release)
			var body io.Reader
			if test.body != "" {
				body = strings.NewReader(test.body)
			}
			resp, err := p.send(t.Context(), "POST", "/", body, test.header...)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := resp.Status[:4] + resp.Header.Get("Access-Control-Allow-Origin"); got != test.want {
				t.Errorf("answered %q, want %q", got, test.want)
			}
			p.await(`"msg":"request"`)
			if got := p.line(t, "request")["reason"]; got != test.reason {
				t.Errorf("the reason is %v, want %s", got, test.reason)
			}
		})
	}
}
