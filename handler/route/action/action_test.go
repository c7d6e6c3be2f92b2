package action_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/rewrite"
	"spangate/handler/route/action"
)

// all is what a route has of its own of what is looked at here.
type all struct {
	action.Config
	Rewrite rewrite.Config
}

// asked returns the answer of what environ configures to a request.
func asked(t testing.TB, environ []string, method, target string, header ...string) *http.Response {
	t.Helper()
	var cfg all
	if _, _, err := config.Load(&cfg, environ); err != nil {
		t.Fatal(err)
	}
	facts := rewrite.Facts{Route: "docs"}
	h := cfg.Handler(facts, rewrite.New(cfg.Rewrite, rewrite.Path{}, facts), func(w http.ResponseWriter, r *http.Request, why fault.Refusal) {
		handler.AnswerOf(r).Apply(w.Header())
		http.Error(w, why.Detail, why.Status)
	})
	r := httptest.NewRequest(method, "/", nil)
	path, query, _ := strings.Cut(target, "?")
	r.Host, r.RequestURI, r.URL.Path, r.URL.RawQuery = "shop.example.com", target, path, query
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	policy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.AnswerOf(r).Set("X-Request-Id", "id-1")
		h.ServeHTTP(w, r)
	})
	handler.Identify(handler.Origin{})(policy).ServeHTTP(w, r)
	return w.Result()
}

func TestRedirect(t *testing.T) {
	for _, test := range []struct {
		redirect, method, target string
		host                     string
		status                   int
		location                 string
	}{
		{"/new", "GET", "/old?a=1", "", 307, "/new"},
		{"/new{?}", "POST", "/old?a=1", "", 307, "/new?a=1"},
		{"301 https://www.{host}{path}{?}", "GET", "/a%2Fb?a=1", "example.com:80", 301, "https://www.example.com/a%2Fb?a=1"},
		{"302 https://example.com", "HEAD", "/", "", 302, "https://example.com"},
		{" 303  /done ", "POST", "/", "", 303, "/done"},
		{"308 /x", "DELETE", "/", "", 308, "/x"},
		{"{path}/", "GET", "//evil.example", "", 307, "/evil.example/"},

		{"{path}", "GET", "/a", "", 508, ""},
		{"{path}{?}", "POST", "/a?b", "", 508, ""},
		{"{path}", "GET", "/a?b", "", 307, "/a"},
		{"303 {path}", "POST", "/a", "", 303, "/a"},
		{"301 {path}", "HEAD", "/a", "", 508, ""},
		{"http://{host}{path}{?}", "GET", "/a", "", 508, ""},
		{"http://{host}:80{path}{?}#x", "GET", "/a", "", 508, ""},
		{"https://{host}{path}{?}", "GET", "/a", "", 307, "https://shop.example.com/a"},
		{"http://shop.example.com", "GET", "/", "", 508, ""},

		{"https://{host}/", "GET", "/a", " ", 400, ""},
		{"/x", "GET", "/a", " ", 307, "/x"},
		{"/x", "TRACE", "/a", "", 405, ""},
		{"/x", "CONNECT", "/a", "", 501, ""},
	} {
		host := "shop.example.com"
		if test.host != "" {
			host = strings.TrimSpace(test.host)
		}
		resp := asked(t, []string{"REDIRECT=" + test.redirect}, test.method, test.target, "Host", host)
		if resp.StatusCode != test.status || resp.Header.Get("Location") != test.location || resp.Header.Get("X-Request-Id") != "id-1" {
			t.Errorf("%s, %s %s: %d %q", test.redirect, test.method, test.target, resp.StatusCode, resp.Header)
		}
		if resp.StatusCode < 400 && resp.Header.Get("Content-Length") != "0" {
			t.Errorf("%s: %q", test.redirect, resp.Header)
		}
	}
}

func TestRespond(t *testing.T) {
	file := filepath.Join(t.TempDir(), "robots.txt")
	if err := os.WriteFile(file, []byte("User-agent: *\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const etag = `"l5XF_4k38jUmzLIH"` // of pong
	for name, test := range map[string]struct {
		environ      string
		method       string
		header       []string
		status       int
		kind, length string
		body         string
		wantETag     bool
	}{
		"text":               {"RESPOND=200 text/plain pong", "GET", nil, 200, "text/plain; charset=utf-8", "4", "pong", true},
		"HEAD":               {"RESPOND=200 text/plain pong", "HEAD", nil, 200, "text/plain; charset=utf-8", "4", "", true},
		"POST":               {"RESPOND=200 text/plain pong", "POST", []string{"If-None-Match", "*"}, 200, "text/plain; charset=utf-8", "4", "pong", true},
		"without a type":     {"RESPOND=503 back at 10:00, we hope", "GET", nil, 503, "text/plain; charset=utf-8", "22", "back at 10:00, we hope", false},
		"a slash is no type": {"RESPOND=404 and/or nothing", "GET", nil, 404, "text/plain; charset=utf-8", "14", "and/or nothing", false},
		"JSON":               {`RESPOND=200 application/json {"ok": true}`, "GET", nil, 200, "application/json", "12", `{"ok": true}`, true},
		"with a charset":     {"RESPOND=200 text/html;charset=latin1 <p>", "GET", nil, 200, "text/html;charset=latin1", "3", "<p>", true},
		"to the letter":      {"RESPOND=200 text/plain  a\n b", "GET", nil, 200, "text/plain; charset=utf-8", "5", " a\n b", true},
		"a type alone":       {"RESPOND=200 image/png", "GET", nil, 200, "image/png", "0", "", false},
		"a status alone":     {"RESPOND=410", "GET", nil, 410, "", "0", "", false},
		"no content":         {"RESPOND=204", "GET", nil, 204, "", "", "", false},
		"a file":             {"RESPOND=200\x00RESPOND_BODY_FILE=" + file, "GET", nil, 200, "text/plain; charset=utf-8", "14", "User-agent: *\n", true},
		"a file of a type":   {"RESPOND=200 text/x\x00RESPOND_BODY_FILE=" + file, "GET", nil, 200, "text/x; charset=utf-8", "14", "User-agent: *\n", true},
		"unchanged":          {"RESPOND=200 pong", "GET", []string{"If-None-Match", `"x", W/` + etag}, 304, "", "", "", true},
		"unchanged, HEAD":    {"RESPOND=200 pong", "HEAD", []string{"If-None-Match", "*"}, 304, "", "", "", true},
		"changed":            {"RESPOND=200 pong", "GET", []string{"If-None-Match", `"x"`}, 200, "text/plain; charset=utf-8", "4", "pong", true},
		"fields of its own":  {"RESPOND=200 pong\x00RESPONSE_HEADERS=Content-Type: text/x-{route}, -Etag", "GET", nil, 200, "text/x-docs", "4", "pong", false},
		"not for a gateway":  {"RESPOND=200 pong", "TRACE", nil, 405, "text/plain; charset=utf-8", "", "TRACE would show what is added on the way.\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			resp := asked(t, strings.Split(test.environ, "\x00"), test.method, "/", test.header...)
			body, _ := io.ReadAll(resp.Body)
			want := []string{test.kind, test.length, test.body, "id-1"}
			got := []string{resp.Header.Get("Content-Type"), resp.Header.Get("Content-Length"), string(body), resp.Header.Get("X-Request-Id")}
			if diff := cmp.Diff(want, got); diff != "" || resp.StatusCode != test.status {
				t.Errorf("%d (-want +got):\n%s", resp.StatusCode, diff)
			}
			if (resp.Header.Get("Etag") != "") != test.wantETag || strings.HasSuffix(test.environ, " pong") && test.wantETag && resp.Header.Get("Etag") != etag {
				t.Errorf("ETag %s", resp.Header.Get("Etag"))
			}
		})
	}
}

func TestIsWrong(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	small := filepath.Join(dir, "small")
	if err := os.WriteFile(small, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ environ, want string }{
		{"REDIRECT=300 /x", `REDIRECT="300 /x": 300 is none of 301, 302, 303, 307 and 308`},
		{"REDIRECT=permanent /x", `REDIRECT="permanent /x": must be a URL, or a status, a blank and a URL`},
		{"REDIRECT=308", `REDIRECT="308": must be a path, or a URL of http or https`},
		{"REDIRECT=javascript:alert(1)", `REDIRECT="javascript:alert(1)": must be a path, or a URL of http or https`},
		{"REDIRECT=//evil.example", `REDIRECT="//evil.example": must be a path, or a URL of http or https`},
		{"REDIRECT=308 https://example.com{rest}", `REDIRECT="308 https://example.com{rest}": has a placeholder in its host other than {host}, or right behind it; a slash ends the host`},
		{"REDIRECT=/new/{id}", `REDIRECT="/new/{id}": {id} is unknown here; known are {rest}, {host}, {path}, {query}, {client_ip}, {trace_id}, {request_id}, {route}`},
		{"REDIRECT=/docs/{rest}{?}", `REDIRECT="/docs/{rest}{?}": sends whoever asks for /docs/{rest...} to where he is`},
		{"REDIRECT=301 {path}", `REDIRECT="301 {path}": sends whoever asks for /docs/{rest...} to where he is`},
		{"RESPOND=ok", `RESPOND="ok": must begin with a status, such as 200`},
		{"RESPOND=0200 ok", `RESPOND="0200 ok": must begin with a status, such as 200`},
		{"RESPOND=101", `RESPOND="101": 101 is no status of an answer`},
		{"RESPOND=600", `RESPOND="600": 600 is no status of an answer`},
		{"RESPOND=302", `RESPOND="302": 302 sends elsewhere, which a redirect says`},
		{"RESPOND=204 text/plain", `RESPOND="204 text/plain": an answer of 204 has no content`},
		{"RESPOND=304 x", `RESPOND="304 x": an answer of 304 has no content`},
		{"RESPOND=200\nRESPOND_BODY_FILE=" + dir + "/none", `RESPOND_BODY_FILE="` + dir + `/none": no such file or directory`},
		{"RESPOND=200\nRESPOND_BODY_FILE=" + large, `RESPOND_BODY_FILE="` + large + `": is larger than 1 MiB`},
		{"RESPOND=200 x\nRESPOND_BODY_FILE=" + small, `RESPOND_BODY_FILE="` + small + `": RESPOND has the content already`},
		{"RESPOND=204\nRESPOND_BODY_FILE=" + small, `RESPOND_BODY_FILE="` + small + `": an answer of 204 has no content`},
		{"RESPOND_BODY_FILE=" + small, `RESPOND_BODY_FILE: is of no use without RESPOND`},
	} {
		var cfg struct{ Action action.Config }
		_, _, err := config.Load(&cfg, strings.Split(test.environ, "\n"), func() error { return cfg.Action.Check([]string{"/docs/{rest...}"}, false) })
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: %v\nwant %s", test.environ, err, test.want)
		}
	}
	var cfg action.Config
	if _, _, err := config.Load(&cfg, []string{"REDIRECT={path}"}, func() error { return cfg.Check([]string{"/a"}, true) }); err != nil {
		t.Error(err)
	}
	if cfg = (action.Config{}); cfg.Handler(rewrite.Facts{}, nil, nil) != nil {
		t.Error("there is something to do")
	}
}

func FuzzRedirect(f *testing.F) {
	for _, seed := range []string{"308 /docs/{rest}", "/x", "301 https://{host}{path}{?}", " 301", "301  "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d, again action.Redirect
		if d.UnmarshalText([]byte(text)) != nil {
			return
		}
		if shown, err := d.MarshalText(); err != nil || again.UnmarshalText(shown) != nil || d.IsZero() {
			t.Errorf("%q is shown as %q", text, shown)
		}
	})
}

func FuzzRespond(f *testing.F) {
	for _, seed := range []string{"200 text/plain pong", "204", "200 a/b c", "200 text/plain;charset=x x", "599  "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var a, again action.Respond
		if a.UnmarshalText([]byte(text)) != nil {
			return
		}
		if shown, err := a.MarshalText(); err != nil || again.UnmarshalText(shown) != nil || a.IsZero() {
			t.Errorf("%q is shown as %q", text, shown)
		}
		cfg := action.Config{Respond: a}
		w := httptest.NewRecorder()
		cfg.Handler(rewrite.Facts{}, nil, nil).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if resp := w.Result(); strings.ContainsAny(resp.Header.Get("Content-Type"), "\r\n") || resp.StatusCode < 200 || resp.StatusCode > 599 {
			t.Errorf("%q is %d %q", text, resp.StatusCode, resp.Header)
		}
	})
}
