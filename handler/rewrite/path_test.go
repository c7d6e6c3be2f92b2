package rewrite

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/fault"
)

// pathOf returns the path that variables of a route say, which must be right.
func pathOf(t testing.TB, environ ...string) (p Path) {
	t.Helper()
	if _, _, err := config.Load(&p, environ); err != nil {
		t.Fatal(err)
	}
	return p
}

// sent returns r as it is sent to a backend.
func sent(r *http.Request) *http.Request {
	target := handler.OutgoingURL(r)
	out := r.Clone(r.Context())
	out.URL, out.RequestURI = &target, ""
	return out
}

func TestPath(t *testing.T) {
	variables := map[string]string{"id": "7", "rest": "a//b%2Fc", "double": "/evil.example", "up": "../x", "deep": "a/%2e%2e/b"}
	for _, test := range []struct {
		name     string
		environ  string
		target   string
		prefixes []string // that proxies before have said
		want     string   // path and query; empty: refused
		prefix   []string // that the backend is told
	}{
		{"strips", "STRIP=/v1", "/v1/users", nil, "/users", []string{"/v1"}},
		{"strips all", "STRIP=/v1", "/v1", nil, "/", []string{"/v1"}},
		{"strips up to a slash", "STRIP=/v1/", "/v1/", nil, "/", []string{"/v1"}},
		{"strips segments", "STRIP=/a/b", "/a/b/c/", nil, "/c/", []string{"/a/b"}},
		{"no part of a segment", "STRIP=/v1", "/v1x/y", nil, "/v1x/y", nil},
		{"another spelling", "STRIP=/v1", "/%761/x%2Fy", nil, "/x%2Fy", []string{"/v1"}},
		{"a letter of its own", "STRIP=/%C3%A4", "/%c3%a4/x", nil, "/x", []string{"/%C3%A4"}},
		{"another case", "STRIP=/v1", "/V1/x", nil, "/V1/x", nil},
		{"a slash that is encoded ends no segment", "STRIP=/a/b", "/a%2fb/c", nil, "/a%2fb/c", nil},
		{"shorter than the prefix", "STRIP=/a/b", "/%61", nil, "/%61", nil},
		{"the rest as it came", "STRIP=/v1", "/v1/a%2Fb//%7e;x=1/%zz?q=%zz&&", nil, "", nil}, // a broken encoding is refused before
		{"every byte of the rest", "STRIP=/v1", "/v1/a%2Fb//%7e;x=1/[~]/?q=%zz&&", nil, "/a%2Fb//%7e;x=1/[~]/?q=%zz&&", []string{"/v1"}},
		{"a bare question mark", "STRIP=/v1", "/v1?", nil, "/?", []string{"/v1"}},
		{"no host comes of it", "STRIP=/v1", "/v1//evil.example/x", nil, "/evil.example/x", []string{"/v1"}},
		{"nor with a backslash", "STRIP=/v1", `/v1/\evil.example/x`, nil, "/%5Cevil.example/x", []string{"/v1"}},
		{"behind another proxy", "STRIP=/v1", "/v1/x", []string{"/outer/"}, "/x", []string{"/outer/v1"}},
		{"behind several", "STRIP=/v1", "/v1/x", []string{"/a, /b", "/c"}, "/x", []string{"/a/b/c/v1"}},
		{"behind nonsense", "STRIP=/v1", "/v1/x", []string{"//evil.example,x", "/"}, "/x", []string{"/v1"}},
		{"adds", "ADD_PREFIX=/internal", "/x//y?q", nil, "/internal/x//y?q", nil},
		{"adds to nothing", "ADD_PREFIX=/internal", "/", nil, "/internal/", nil},
		{"what others say stays", "ADD_PREFIX=/internal", "/x", []string{"/a, /b"}, "/internal/x", []string{"/a, /b"}},
		{"exchanges", "STRIP=/v1 ADD_PREFIX=/internal", "/v1/x", nil, "/internal/x", []string{"/v1"}},
		{"exchanges all", "STRIP=/v1 ADD_PREFIX=/internal", "/v1", nil, "/internal/", []string{"/v1"}},
		{"rewrites", "REWRITE=/v2/users/{id}{?}", "/users/7?a=1", nil, "/v2/users/7?a=1", nil},
		{"drops the query", "REWRITE=/v2/users/{id}", "/users/7?a=1", nil, "/v2/users/7", nil},
		{"makes a query", "REWRITE=/users?id={id}&{query}", "/users/7?a=1", nil, "/users?id=7&a=1", nil},
		{"all of it", "REWRITE={path}{?}", "/a//b%2F?", nil, "/a//b%2F?", nil},
		{"the rest", "REWRITE=/new/{rest}", "/old/a//b%2Fc", nil, "/new/a//b%2Fc", nil},
		{"no host of a variable", "REWRITE=/{double}", "/old//evil.example", nil, "/evil.example", nil},

		{"does not climb out of what is added", "ADD_PREFIX=/internal", "/../secret", nil, "", nil},
		{"nor encoded", "ADD_PREFIX=/internal", "/a/%2e%2e/.%2E/secret", nil, "", nil},
		{"nor behind an encoded slash", "ADD_PREFIX=/internal", "/..%2fsecret", nil, "", nil},
		{"nor behind a backslash", "ADD_PREFIX=/internal", "/..%5csecret", nil, "", nil},
		{"nor with a parameter", "ADD_PREFIX=/internal", "/..;x=1/secret", nil, "", nil},
		{"nor over what is one segment to some", "ADD_PREFIX=/internal", "/a%2fb/../../secret", nil, "", nil},
		{"nor over empty segments", "ADD_PREFIX=/internal", "/a//../../secret", nil, "", nil},
		{"nor out of what is stripped", "STRIP=/v1", "/v1/../v1/x", nil, "", nil},
		{"nor out of a template", "REWRITE=/v2/{up}", "/old/../x", nil, "", nil},
		{"within is no climbing", "ADD_PREFIX=/internal", "/a/../b/./c..d/..", nil, "/internal/a/../b/./c..d/..", nil},
		{"within a template neither", "REWRITE=/v2/{deep}", "/x", nil, "/v2/a/%2e%2e/b", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			path, f := pathOf(t, strings.Fields(test.environ)...), facts(variables)
			out := sent(identified(t, "GET", test.target))
			if test.prefixes != nil {
				out.Header["X-Forwarded-Prefix"] = test.prefixes
			}
			v := f.ValuesOf(out, out.URL)
			got, err := path.rewrite(out, &v)
			if test.want == "" {
				if e, ok := errors.AsType[*fault.Error](err); !ok || e.Type != fault.MalformedRequest {
					t.Errorf("error %v of %s", err, out.URL.RequestURI())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, out.URL.RequestURI()); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
			if path, _, _ := strings.Cut(test.want, "?"); got != path {
				t.Errorf("path %q, want %q", got, path)
			}
			if diff := cmp.Diff(test.prefix, out.Header["X-Forwarded-Prefix"]); diff != "" {
				t.Errorf("X-Forwarded-Prefix (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPathIsWrong(t *testing.T) {
	type variables struct{ Path }
	for _, test := range []struct {
		environ  string
		patterns []string
		want     string
	}{
		{"STRIP=/v1", []string{"/v1/*", "/v1", "/v1/users/{id}", "/v1/{rest...}", "/%761/x"}, ""},
		{"STRIP=/v1/users", []string{"/v1/users/*"}, ""},
		{"STRIP=/v1", []string{"/api/*", "/v1/*"}, `STRIP="/v1": /api/* never begins with it`},
		{"STRIP=/v1", []string{"/v1x/*"}, `STRIP="/v1": /v1x/* never begins with it`},
		{"STRIP=/v1/users", []string{"/v1"}, `STRIP="/v1/users": /v1 never begins with it`},
		{"STRIP=/v1/users", []string{"/v1/*"}, `STRIP="/v1/users": /v1/* does not always begin with it`},
		{"STRIP=/v1", []string{"/*"}, `STRIP="/v1": /* does not always begin with it`},
		{"STRIP=/v1", []string{"/{version}/x"}, `STRIP="/v1": /{version}/x does not always begin with it`},
		{"STRIP=/v1/x", []string{"/{version}/y"}, `STRIP="/v1/x": /{version}/y never begins with it`},
		{"STRIP=/", nil, `STRIP="/": must begin with a slash, and name a segment`},
		{"STRIP=v1", nil, `STRIP="v1": must begin with a slash, and name a segment`},
		{"STRIP=/v1/*", []string{"/v1/*"}, `STRIP="/v1/*": must be a path without a query, placeholders or *`},
		{"STRIP=/{v}", nil, `STRIP="/{v}": must be a path without a query, placeholders or *`},
		{"STRIP=/a b", nil, `STRIP="/a b": has a character that must be percent-encoded in a path`},
		{"STRIP=/ä", nil, `STRIP="/ä": has a character that must be percent-encoded in a path`},
		{"STRIP=/%zz", nil, `STRIP="/%zz": has a percent sign that encodes nothing`},
		{"STRIP=/a//b", nil, `STRIP="/a//b": has an empty segment`},
		{"STRIP=/a/%2e%2e", nil, `STRIP="/a/%2e%2e": has a segment of dots`},
		{"ADD_PREFIX=internal", nil, `ADD_PREFIX="internal": must begin with a slash, and name a segment`},
		{"ADD_PREFIX=//evil.example", nil, `ADD_PREFIX="//evil.example": has an empty segment`},
		{"REWRITE=/x/{id}\nSTRIP=/v1\nADD_PREFIX=/y", []string{"/v1/{id}"}, "STRIP=\"/v1\": goes with no REWRITE, which says the whole path\nADD_PREFIX=\"/y\": goes with no REWRITE, which says the whole path"},
		{"REWRITE=/x/{di}", []string{"/v1/{id}"}, `REWRITE="/x/{di}": {di} is unknown here; did you mean {id}?`},
		{"REWRITE=x", nil, `REWRITE="x": must begin with a slash`},
		{"REWRITE={id}", nil, `REWRITE="{id}": must begin with a slash`},
		{"REWRITE=http://x/", nil, `REWRITE="http://x/": must begin with a slash`},
		{"REWRITE=/a b", nil, `REWRITE="/a b": has a character that must be percent-encoded in a path`},
		{"REWRITE=/a#b", nil, `REWRITE="/a#b": has a character that must be percent-encoded in a path`},
		{"REWRITE=/a?b c", nil, `REWRITE="/a?b c": has a character that must be percent-encoded in a query`},
		{"REWRITE=/a?{id}#c", nil, `REWRITE="/a?{id}#c": has a character that must be percent-encoded in a query`},
		{"REWRITE=/a?b{?}", nil, `REWRITE="/a?b{?}": has a {?} behind a question mark; {query} goes there`},
		{"REWRITE=/a{?}{?}", nil, `REWRITE="/a{?}{?}": has a {?} behind a question mark; {query} goes there`},
		{"REWRITE=/a/{query}", nil, `REWRITE="/a/{query}": has a {query} before any question mark; {?} has its own`},
		{"REWRITE=/a/../b", nil, `REWRITE="/a/../b": has a segment of dots`},
		{"REWRITE=/a{", nil, `REWRITE="/a{": has a { without a }; {{ stands for one`},
	} {
		var cfg variables
		_, _, err := config.Load(&cfg, strings.Split(test.environ, "\n"), func() error { return cfg.Check(test.patterns) })
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s of %q: %s\nwant %s", test.environ, test.patterns, got, test.want)
		}
	}
}

// Whatever path a client sends: what is asked of a backend is below what is put before
// it, for whoever resolves it, and the rest of it is what was sent.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/v1/a", "/v1/../x", "/v1//x", "/v1/%2e%2e/x", "/v1/a%2fb/../..", "/v1/..;/x", `/v1/..\x`, "/%761/x", "/v1?q"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if !strings.HasPrefix(target, "/") || strings.ContainsAny(target, "#") {
			return
		}
		path, known := pathOf(t, "STRIP=/v1", "ADD_PREFIX=/in/side"), facts(nil)
		out := sent(identified(t, "GET", target))
		v := known.ValuesOf(out, out.URL)
		got, err := path.rewrite(out, &v)
		if err != nil {
			return
		}
		if out.URL.EscapedPath() != got {
			t.Errorf("%q: %q is sent, and not %q", target, out.URL.EscapedPath(), got)
		}
		for _, resolved := range readings(got) {
			if resolved != "/in/side" && !strings.HasPrefix(resolved, "/in/side/") {
				t.Errorf("%q: %q is %q to some", target, got, resolved)
			}
		}
		if rest := strings.TrimPrefix(got, "/in/side"); !strings.HasSuffix(v.path, strings.TrimPrefix(rest, "/")) {
			t.Errorf("%q: %q is not what was sent", target, got)
		}
	})
}

// readings are what servers make of a path, by a slow and plain way.
func readings(path string) (all []string) {
	decode := strings.NewReplacer("%2e", ".", "%2E", ".")
	slashes := strings.NewReplacer("%2f", "/", "%2F", "/")
	back := strings.NewReplacer("%5c", "/", "%5C", "/", `\`, "/")
	for mask := range 8 {
		p := decode.Replace(path)
		if mask&1 != 0 {
			p = slashes.Replace(p)
		}
		if mask&2 != 0 {
			p = back.Replace(p)
		}
		var kept []string
		for segment := range strings.SplitSeq(p, "/") {
			name := segment
			if mask&4 != 0 {
				name, _, _ = strings.Cut(strings.ReplaceAll(strings.ReplaceAll(segment, "%3b", ";"), "%3B", ";"), ";")
			}
			switch name {
			case "", ".":
			case "..":
				kept = kept[:max(0, len(kept)-1)]
			default:
				kept = append(kept, segment)
			}
		}
		all = append(all, "/"+strings.Join(kept, "/"))
	}
	return all
}
