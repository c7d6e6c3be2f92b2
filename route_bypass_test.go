package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

// spellingsOfAdmin are ways to write /admin/users that some server understands, and
// behind them some that only look so.
var spellingsOfAdmin = strings.Fields(`
	/admin /admin/ /admin/users /admin/users/ /admin/users;x /admin/users?x /admin?x /admin/%75sers /admin/x/../users /admin//users /admin/./users
	//admin/users ///admin/users /.//admin/users /./admin/users /../admin/users /../../admin/users /x/../admin/users /x/y/../../admin/users
	/x/./../admin/users /x//../admin/users /x/..//admin/users /x/.././admin/users /admin/../admin/users /x/../admin
	/%61dmin/users /%61%64%6D%69%6E/users /%61%64%6d%69%6e/users /admi%6e/users /%2Fadmin/users /%2fadmin/users /admin%2Fusers /admin%2fusers
	/x%2F..%2Fadmin%2Fusers /x%2f..%2fadmin/users /x/..%2Fadmin/users /x/..%2fadmin/users /%2e/admin/users /%2E/admin/users
	/x/%2e%2e/admin/users /x/%2E%2E/admin/users /x/.%2e/admin/users /x/%2e./admin/users /x/%2e%2e%2fadmin/users /%2e%2e/admin/users
	/%2e%2e%2f%2e%2e%2fadmin/users /x%2f%2e%2e%2fadmin%2fusers
	/;/admin/users /;x/admin/users /;x=y/admin/users /admin;/users /admin;x=y/users /admin;a=b;c=d/users /admin; /x/..;/admin/users
	/x/..;a=b/admin/users /.;/admin/users /x;/../admin/users /%3B/admin/users /admin%3Bx/users /admin%3bx=y/users /x/..%3B/admin/users
	/x/%2e%2e;/admin/users /x/%2e%2e%3b/admin/users
	/\admin/users /\/admin/users /admin\users /x\..\admin\users /x/..\admin/users /%5Cadmin/users /%5cadmin/users /admin%5Cusers
	/x%5C..%5Cadmin%5Cusers /x/..%5cadmin/users /x%5c%2e%2e%5cadmin/users /x/..%5C;a/admin/users
	/ADMIN/users /Admin/users /aDMIN/users /%41dmin/users /%41%44%4D%49%4E/users //ADMIN/users /x/../Admin/users /ADMIN;x/users /ADMIN%2Fusers
	/admin%00/users /admin%3F/users /admin%23/users /%c0%afadmin/users /%e0%80%afadmin/users /%F0%80%80%AFadmin/users /%C0%AE%C0%AE/admin/users /x%c0%af..%c1%9cadmin/users
	/index.php/admin/users /x.PHP/admin/users /index.php;x/admin/users /index.php/../admin/users /%69ndex.php/%61dmin/users /x/../index.php/admin/users
	/%2561dmin/users /%252Fadmin/users /%252e%252e%252fadmin/users /%25%36%31dmin/users /x/%252e%252e/admin/users /admin%252Fusers /%255Cadmin/users /%253B/admin/users
	/xadmin/users /admin-users /x/admin/users /~admin/users /%20admin/users`)

// normalizer is what some server makes of a path.
type normalizer struct {
	name  string
	steps []func(string) string
}

var normalizers = []normalizer{
	{"what compares paths as they are sent", nil},
	{"Go's ServeMux before 1.22, nginx", []func(string) string{decodedPath, path.Clean}},
	{"Apache httpd", []func(string) string{path.Clean, decodedPath}},
	{"Tomcat", []func(string) string{withoutParameters, decodedPath, slashed, path.Clean}},
	{"Jetty", []func(string) string{withoutParameters, decodedPath, path.Clean}},
	{"Undertow", []func(string) string{decodedPath, withoutParameters, path.Clean}},
	{"Spring's AntPathMatcher", []func(string) string{decodedPath, withoutParameters, merged}},
	{"IIS", []func(string) string{decodedPath, slashed, path.Clean, strings.ToLower}},
	{"Express", []func(string) string{strings.ToLower}},
	{"new URL of Node", []func(string) string{slashed, decodedDots, path.Clean, decodedPath}},
	{"Envoy", []func(string) string{decodedSlashes, slashed, path.Clean}},
	{"Envoy before Tomcat", []func(string) string{decodedSlashes, slashed, path.Clean, withoutParameters, decodedPath, path.Clean}},
	{"nginx before Tomcat", []func(string) string{decodedPath, path.Clean, withoutParameters, slashed, path.Clean}},
	{"PHP", []func(string) string{decodedPath, path.Clean, behindScript}},
	{"a program of C", []func(string) string{decodedPath, func(p string) string { return p[:strings.IndexAny(p+"\x00", "\x00?#")] }, path.Clean}},
}

func decodedPath(p string) string {
	decoded, err := url.PathUnescape(p)
	if err != nil {
		return p
	}
	return decoded
}

var (
	decodedSlashes = strings.NewReplacer("%2F", "/", "%2f", "/", "%5C", "/", "%5c", "/").Replace
	decodedDots    = strings.NewReplacer("%2E", ".", "%2e", ".").Replace
)

func slashed(p string) string { return strings.ReplaceAll(p, `\`, "/") }

func merged(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

func withoutParameters(p string) string {
	segments := strings.Split(p, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return strings.Join(segments, "/")
}

// behindScript returns the path info of the first script in p.
func behindScript(p string) string {
	if at := strings.Index(strings.ToLower(p), ".php/"); at >= 0 {
		return p[at+len(".php"):]
	}
	return p
}

// isAdmins returns who reads the path of a request's target as one below /admin, or "".
func isAdmins(target string) string {
	sent, _, _ := strings.Cut(target, "?")
	for _, n := range normalizers {
		read := sent
		for _, step := range n.steps {
			read = step(read)
		}
		if read == "/admin" || strings.HasPrefix(read, "/admin/") {
			return n.name
		}
	}
	return ""
}

// noting is a backend that says its name, and the host and the target of each request.
func noting(t *testing.T, name string) string {
	return plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "%s %s %s", name, r.Host, r.RequestURI)
	})
}

// raw sends a request on a connection of its own, which need not be one of HTTP.
func (p *program) raw(t *testing.T, request string) string {
	t.Helper()
	conn := dial(t, p.addr)
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return brieflyHTTP1(t, string(answer))
}

// waysToAsk are those to send a target to the host x.test, as it is written.
var waysToAsk = map[string]func(t *testing.T, p *program, target string) string{
	"HTTP/1.1": func(t *testing.T, p *program, target string) string {
		return p.raw(t, "GET "+target+" HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n")
	},
	"HTTP/1.1 in absolute form": func(t *testing.T, p *program, target string) string {
		return p.raw(t, "GET http://x.test"+target+" HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n")
	},
	"HTTP/2": func(t *testing.T, p *program, target string) string {
		c := newHTTP2Client(t, p.addr)
		defer c.conn.Close()
		return brieflyHTTP2(c.answer(c.open(true, ":method", "GET", ":scheme", "http", ":authority", "x.test", ":path", target)).String())
	},
}

// A path that needs a key has many spellings. None leads without one past the route that
// asks for it to a backend that reads it as that path; and what is forwarded is forwarded
// as it was sent.
func TestProtectedPathHasNoOtherSpelling(t *testing.T) {
	t.Parallel()
	open, closed := noting(t, "open"), noting(t, "admin")
	protected := []string{"PROBE_MODE=off", "ROUTE_ADMIN_BACKENDS=" + closed, "ROUTE_ADMIN_AUTH_API_KEYS=ci:" + apiKey}
	for name, environ := range map[string][]string{
		"beside an open route":       {"ROUTES=open,admin", "ROUTE_ADMIN_MATCH=/admin/*", "ROUTE_OPEN_MATCH=/*", "ROUTE_OPEN_BACKENDS=" + open},
		"beside what takes the rest": {"ROUTES=admin", "ROUTE_ADMIN_MATCH=/admin/*", "BACKENDS=" + open},
		"beside templates":           {"ROUTES=admin,one,two", "ROUTE_ADMIN_MATCH=/admin,/admin/{rest...}", "ROUTE_ONE_MATCH=/{x}", "ROUTE_TWO_MATCH=/{x}/{rest...}", "BACKENDS=" + open},
	} {
		p := start(t, slices.Concat(protected, environ)...)
		for way, ask := range waysToAsk {
			t.Run(name+", "+way, func(t *testing.T) {
				refused := 0
				for _, target := range spellingsOfAdmin {
					got := ask(t, p, target)
					switch reader := isAdmins(target); {
					case got == "200 open x.test "+target:
						if reader != "" {
							t.Errorf("%s goes to the open backend, and is %s's /admin", target, reader)
						}
					case !slices.Contains([]string{"400", "401", "404"}, got[:3]):
						t.Errorf("%s: %s", target, got)
					default:
						refused++
					}
				}
				if refused < 60 {
					t.Errorf("only %d spellings are refused", refused)
				}
				for _, target := range []string{"/", "/x", "/administrator", "/x/admin/users", "/users?next=/admin/users", "/a.b/c-d/%C3%BC"} {
					if got := ask(t, p, target); got != "200 open x.test "+target {
						t.Errorf("%s: %s", target, got)
					}
				}
			})
		}
		if got, _ := p.at(t, "GET", "x.test", "/admin/users", nil, "X-Api-Key: "+apiKey); got != "200 admin x.test /admin/users" {
			t.Errorf("%s, with the key: %s", name, got)
		}
	}
}

// What holds for a host holds however it is spelled.
func TestProtectedHostHasNoOtherSpelling(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_MODE=off", "BACKENDS="+noting(t, "open"), "ROUTES=admin,apps", "ROUTE_ADMIN_MATCH=admin.test/*", "ROUTE_ADMIN_BACKENDS="+noting(t, "admin"), "ROUTE_ADMIN_AUTH_API_KEYS=ci:"+apiKey,
		"ROUTE_APPS_MATCH=*.test/open/*")
	for _, host := range []string{
		"admin.test", "admin.test.", "ADMIN.test", "Admin.Test.", "admin.test:80", "admin.test:443", "admin.test:", "admin.test.:80", "ADMIN.TEST:8080", "admin.test:080",
		"user@admin.test", "user:pw@admin.test", "x.test@admin.test", "admin.test@x.test", "admin%2etest", "admin%2Etest", "%61dmin.test", "admin.test%00", "admin.test%20", "admin.test/", "admin.test#x.test", `admin.test\x`,
		"admin.test..", "admin..test", ".admin.test", "admin.test,x.test", "x.test,admin.test", "admin.test:80:90", "admin.test:x", "[admin.test]", "admin\u3002test", "admin.test;x",
	} {
		for way, ask := range map[string]func(target string) string{
			"HTTP/1.1": func(target string) string {
				return p.raw(t, "GET "+target+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
			},
			"HTTP/1.1 in absolute form": func(target string) string {
				return p.raw(t, "GET http://"+host+target+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
			},
			"HTTP/1.1 in absolute form, with another host": func(target string) string {
				return p.raw(t, "GET http://"+host+target+" HTTP/1.1\r\nHost: x.org\r\nConnection: close\r\n\r\n")
			},
			"HTTP/2": func(target string) string {
				c := newHTTP2Client(t, p.addr)
				defer c.conn.Close()
				return brieflyHTTP2(c.answer(c.open(true, ":method", "GET", ":scheme", "http", ":authority", host, ":path", target)).String())
			},
		} {
			for _, target := range []string{"/", "/users", "/open/x"} {
				got := ask(target)
				if refused := slices.Contains([]string{"400", "401", "404"}, got[:3]) || got == "PROTOCOL_ERROR"; !refused {
					t.Errorf("%s%s over %s: %s", host, target, way, got)
				}
			}
		}
	}
	for host, want := range map[string]string{"x.test": "200 open x.test /", "admin.test.org": "200 open admin.test.org /", "xadmin.test": "200 open xadmin.test /", "a.admin.test": "200 open a.admin.test /"} {
		if got := p.raw(t, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n"); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
	if got := p.raw(t, "GET / HTTP/1.1\r\nHost: admin.test\r\nX-Api-Key: "+apiKey+"\r\nConnection: close\r\n\r\n"); got != "200 admin admin.test /" {
		t.Errorf("with the key: %s", got)
	}
}
