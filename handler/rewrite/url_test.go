package rewrite

import (
	"net/url"
	"strings"
	"testing"

	"spangate/handler"
)

func TestURLTemplate(t *testing.T) {
	variables := map[string]string{"id": "7", "rest": "a//b%2Fc", "double": "/evil.example", "back": `\evil.example`}
	for _, test := range []struct{ text, target, want string }{
		{"/docs/{rest}", "/", "/docs/a//b%2Fc"},
		{"/docs/{rest}{?}#top", "/x?a=1", "/docs/a//b%2Fc?a=1#top"},
		{"/#{id}", "/", "/#7"},
		{"https://www.example.com{path}{?}", "/a%2Fb?q", "https://www.example.com/a%2Fb?q"},
		{"https://www.example.com{path}", "//evil.example/x", "https://www.example.com//evil.example/x"},
		{"https://www.example.com{?}", "/a?q", "https://www.example.com?q"},
		{"https://www.{host}{path}", "/a", "https://www.shop.example.com/a"},
		{"http://{host}:8080/x", "/a", "http://shop.example.com:8080/x"},
		{"HTTPS://[::1]:8080/{id}", "/a", "HTTPS://[::1]:8080/7"},
		{"https://example.com", "/a", "https://example.com"},
		{"https://example.com?from={path}&{query}", "/a?q=1", "https://example.com?from=/a&q=1"},
		{"{path}/", "/a", "/a/"},
		{"{path}/", "//evil.example", "/evil.example/"},
		{"{path}", `/\evil.example`, "/%5Cevil.example"},
		{"/{double}", "/", "/evil.example"},
		{"/{back}", "/", "/%5Cevil.example"},
		{"/{id}{{}}", "/", ""},
	} {
		var parsed URLTemplate
		err := parsed.UnmarshalText([]byte(test.text))
		if err != nil {
			if test.want != "" {
				t.Errorf("%s: %v", test.text, err)
			}
			continue
		}
		r := identified(t, "GET", test.target)
		target, f := handler.OutgoingURL(r), facts(variables)
		v := f.ValuesOf(r, &target)
		if got, ok := parsed.Expand(&v); !ok || got != test.want {
			t.Errorf("%s of %s: %q, want %q", test.text, test.target, got, test.want)
		}
	}
}

func TestURLTemplateIsWrong(t *testing.T) {
	const (
		kind  = "must be a path, or a URL of http or https"
		place = "has a placeholder in its host other than {host}, or right behind it; a slash ends the host"
		host  = "must name a host, with a port if need be, and nothing else before the path"
	)
	for text, want := range map[string]string{
		"":                              kind,
		"docs":                          kind,
		"//evil.example/":               kind,
		`\\evil.example/`:               kind,
		"ftp://example.com/":            kind,
		"javascript:alert(1)":           kind,
		"{id}":                          kind,
		"{host}/x":                      kind,
		"{?}":                           kind,
		`/\evil.example`:                "has a character that must be percent-encoded in a path",
		"https://{id}.example.com/":     place,
		"https://{id}/":                 place,
		"https://example.com{id}":       place,
		"https://example.com{query}":    place,
		"https://{host}{rest}":          place,
		"https://":                      host,
		"https:///x":                    host,
		"https://{path}":                host,
		"https://me@example.com/":       host,
		"https://example.com:x/":        host,
		"https://exa mple.com/":         host,
		`https://example.com\@evil/`:    host,
		"https://example.com/a b":       "has a character that must be percent-encoded in a path",
		"https://example.com/{?}{query": "has a { without a }; {{ stands for one",
		"/a{?}?b":                       "has a second question mark",
		"/a/{query}":                    "has a {query} before any question mark; {?} has its own",
		"/a/../b":                       "has a segment of dots",
		"/a#b c":                        "has a character that must be percent-encoded in a fragment",
		"/a#b#c":                        "has a character that must be percent-encoded in a fragment",
	} {
		var parsed URLTemplate
		if err := parsed.UnmarshalText([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestIs(t *testing.T) {
	for _, test := range []struct {
		text, pattern string
		want          bool
	}{
		{"/docs/{rest}", "/docs/{rest...}", true},
		{"/docs/{rest}{?}", "/docs/{rest...}", true},
		{"/users/{id}", "/users/{id:int}", true},
		{"/a", "/a", true},
		{"{path}", "/a/*", true},
		{"{path}{?}", "/a/*", true},
		{"/new/{rest}", "/docs/{rest...}", false},
		{"/docs/{id}", "/docs/{rest...}", false},
		{"/docs/", "/docs/*", false},
		{"{path}/", "/a", false},
		{"https://example.com{path}", "/a", false},
		{"https://example.com/a", "/a", false},
	} {
		var parsed URLTemplate
		if err := parsed.UnmarshalText([]byte(test.text)); err != nil {
			t.Fatal(err)
		}
		if got := parsed.Is(test.pattern); got != test.want {
			t.Errorf("%s is %s: %t", test.text, test.pattern, got)
		}
	}
}

// Whatever a client sends: a path leads to no other host, and a URL to the one that it
// names.
func FuzzURLTemplate(f *testing.F) {
	for _, text := range []string{"/docs/{rest}{?}", "{path}/x", "https://example.com{path}{?}", "https://example.com/{rest}#{rest}", "https://a.{host}/{rest}", "/{rest}", "https://example.com{?}"} {
		for _, value := range []string{"//evil.example", `\evil.example`, "@evil.example", "..//evil", ":80", "?#"} {
			f.Add(text, value)
		}
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		var parsed URLTemplate
		if parsed.UnmarshalText([]byte(text)) != nil {
			return
		}
		before, known := "", facts(map[string]string{"rest": ""})
		for _, rest := range []string{"", value} {
			r := identified(t, "GET", "/")
			r.RequestURI = "/" + strings.ReplaceAll(rest, "#", "")
			known = facts(map[string]string{"rest": strings.NewReplacer("#", "", "?", "").Replace(rest)})
			target := handler.OutgoingURL(r)
			v := known.ValuesOf(r, &target)
			location, ok := parsed.Expand(&v)
			if !ok {
				t.Fatalf("%q has no host", text)
			}
			if strings.ContainsAny(location, " \r\n\t\\\"") {
				t.Errorf("%q of %q is %q", text, rest, location)
			}
			u, err := url.Parse(location)
			if err != nil {
				return // broken encodings are refused before
			}
			if u.User != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
				t.Errorf("%q of %q is %q", text, rest, location)
			}
			if rest != "" && u.Host != before {
				t.Errorf("%q of %q leads to %q, else to %q", text, rest, u.Host, before)
			}
			before = u.Host
		}
	})
}
