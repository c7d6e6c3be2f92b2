package admin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"spangate/handler"
	"spangate/handler/admin"
)

func TestAdmin(t *testing.T) {
	var notReady error
	up := admin.Snapshot{Concurrency: &admin.Concurrency{Active: 1}}
	own := admin.New(admin.Config{Prefix: "/.spangate"}, handler.Origin{}, admin.Sources{
		Ready: func() error { return notReady }, Snapshot: func() admin.Snapshot { return up },
	})
	linked := own.Before(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "backend") }))
	tests := []struct {
		method, path string
		notReady     error
		want         string
		alone        string // of a port of its own; want unless given
	}{
		{method: "GET", path: "/.spangate/live", want: "200 ok\n"},
		{method: "GET", path: "/.spangate/live", notReady: errors.New("x"), want: "200 ok\n"},
		{method: "HEAD", path: "/.spangate/live", want: "200 ok\n"},
		{method: "GET", path: "/.spangate/ready", want: "200 ok\n"},
		{method: "GET", path: "/.spangate/ready", notReady: errors.New("no backend has answered yet"), want: "503 no backend has answered yet\n"},
		{method: "GET", path: "/.spangate/status", want: "200 {\n  \"backends\": null,\n  \"concurrency\": {\n    \"active\": 1,\n    \"queued\": 0\n  }\n}\n"},
		{method: "POST", path: "/.spangate/live", want: "405 Method Not Allowed\n"},
		{method: "POST", path: "/.spangate/status", want: "405 Method Not Allowed\n"},
		{method: "GET", path: "/.spangate/other", want: "404 404 page not found\n"},
		{method: "GET", path: "/.spangate", want: "404 404 page not found\n"},
		{method: "GET", path: "/.spangate/../secret", want: "404 404 page not found\n"},
		{method: "GET", path: "/.spangate/status/", want: "404 404 page not found\n"},
		{method: "GET", path: "/.spangate-not", want: "200 backend", alone: "404 404 page not found\n"},
		{method: "GET", path: "/live", want: "200 backend", alone: "404 404 page not found\n"},
		{method: "GET", path: "/", want: "200 backend", alone: "404 404 page not found\n"},
	}
	for _, test := range tests {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			notReady = test.notReady
			if test.alone == "" {
				test.alone = test.want
			}
			for _, served := range []struct {
				h     http.Handler
				where string
				want  string
			}{{linked, "on PORT", test.want}, {own, "alone", test.alone}} {
				w := httptest.NewRecorder()
				r := httptest.NewRequest(test.method, test.path, nil)
				r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
				served.h.ServeHTTP(w, r)
				if got := fmt.Sprint(w.Code, " ", w.Body); got != served.want {
					t.Errorf("%s: got %q, want %q", served.where, got, served.want)
				}
				if w.Code == 200 && w.Body.String() != "backend" && w.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("%s: the answer may be stored", served.where)
				}
			}
		})
	}
}

func TestStatusIsForInsiders(t *testing.T) {
	type fields = http.Header
	for name, test := range map[string]struct {
		peer, host      string // 127.0.0.1:1 and localhost unless given
		local           string // that the peer came to
		trusted, header string // of Origin
		fields          fields
		want            bool
	}{
		"this host":                             {want: true},
		"this host, IPv6":                       {peer: "[::1]:1", host: "[::1]:8080", want: true},
		"this host, IPv4 in IPv6":               {peer: "[::ffff:127.0.0.1]:1", want: true},
		"this host, by address":                 {host: "127.0.0.1:8080", want: true},
		"this host, at another address":         {peer: "10.0.0.5:1", local: "10.0.0.5:8080", want: true},
		"this host, there by another name":      {peer: "10.0.0.5:1", local: "10.0.0.5:8080", host: "rebound.evil.test"},
		"this host, there as a proxy":           {peer: "10.0.0.5:1", local: "10.0.0.5:8080", fields: fields{"X-Forwarded-For": {"203.0.113.9"}}},
		"a neighbour of that address":           {peer: "10.0.0.6:1", local: "10.0.0.5:8080"},
		"this host, by any other name":          {host: "rebound.evil.test"},
		"this host, by no name":                 {host: "-"},
		"a local proxy that names its client":   {fields: fields{"X-Forwarded-For": {"203.0.113.9"}}},
		"one that names itself":                 {fields: fields{"X-Forwarded-For": {"127.0.0.1"}}},
		"one that hides its client":             {fields: fields{"X-Forwarded-For": {"unknown"}}},
		"one that names it elsewhere":           {fields: fields{"X-Real-Ip": {"203.0.113.9"}}},
		"one that tells the scheme":             {fields: fields{"X-Forwarded-Proto": {"https"}}},
		"one that tells itself":                 {fields: fields{"Via": {"1.1 x"}}},
		"a stranger":                            {peer: "203.0.113.9:1"},
		"a stranger who says he is local":       {peer: "203.0.113.9:1", fields: fields{"X-Forwarded-For": {"127.0.0.1"}, "Forwarded": {"for=127.0.0.1"}}},
		"a neighbour that is not trusted":       {peer: "10.0.0.1:1"},
		"nobody":                                {peer: "@"},
		"trusted":                               {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", host: "any.test", want: true},
		"trusted, for one that is":              {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", fields: fields{"X-Forwarded-For": {"10.0.0.7"}}, want: true},
		"trusted, for its own host":             {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", fields: fields{"X-Forwarded-For": {"127.0.0.1"}}, want: true},
		"trusted, for the public":               {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", fields: fields{"X-Forwarded-For": {"203.0.113.9"}}},
		"trusted, for the public, who lies":     {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", fields: fields{"X-Forwarded-For": {"127.0.0.1, 10.0.0.2, 203.0.113.9"}}},
		"trusted, for the public, in two lines": {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", fields: fields{"X-Forwarded-For": {"127.0.0.1", "203.0.113.9"}}},
		"trusted, for the public, at the start": {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", fields: fields{"X-Forwarded-For": {"203.0.113.9, 10.0.0.2"}}},
		"trusted, hides its client":             {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", fields: fields{"X-Forwarded-For": {"unknown"}}},
		"trusted, says nothing of it":           {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", fields: fields{"X-Forwarded-For": {""}}},
		"trusted, names it in another field":    {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", fields: fields{"X-Real-Ip": {"203.0.113.9"}}},
		"trusted, names it in Forwarded":        {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", fields: fields{"Forwarded": {"for=203.0.113.9"}}},
		"trusted, in a field of one's own":      {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", header: "X-Own", fields: fields{"X-Own": {"203.0.113.9"}}},
		"trusted, in it for one that is":        {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", header: "X-Own", fields: fields{"X-Own": {"10.0.0.9"}}, want: true},
		"trusted, in one field but not another": {peer: "10.0.0.1:1", trusted: "10.0.0.0/8", header: "X-Own", fields: fields{"X-Own": {"10.0.0.9"}, "X-Forwarded-For": {"203.0.113.9"}}},
		"a local proxy that is trusted":         {trusted: "127.0.0.0/8", host: "any.test", fields: fields{"X-Forwarded-For": {"203.0.113.9"}}},
		"one that is trusted, for a local user": {trusted: "127.0.0.0/8", host: "any.test", fields: fields{"X-Forwarded-For": {"127.0.0.1"}}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/.spangate/status", nil)
			r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
			if test.peer != "" {
				r.RemoteAddr = test.peer
			}
			if test.host == "-" {
				r.Host = ""
			} else if test.host != "" {
				r.Host = test.host
			}
			if test.local != "" {
				local := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(test.local))
				r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))
			}
			maps.Copy(r.Header, test.fields)
			if test.trusted == "" {
				test.trusted = "none"
			}
			var origin handler.Origin
			if err := origin.Trusted.UnmarshalText([]byte(test.trusted)); err != nil {
				t.Fatal(err)
			}
			origin.Header = handler.ClientIPHeader(test.header)
			h := admin.New(admin.Config{Prefix: "/.spangate"}, origin, admin.Sources{Snapshot: func() admin.Snapshot { return admin.Snapshot{} }})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if want := map[bool]int{true: 200, false: 404}[test.want]; w.Code != want {
				t.Errorf("status %d, want %d", w.Code, want)
			}
		})
	}
}

func TestWithoutStatus(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/s/status", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
	admin.New(admin.Config{Prefix: "/s"}, handler.Origin{}, admin.Sources{}).ServeHTTP(w, r)
	if w.Code != http.StatusNotFound {
		t.Errorf("status %d, want 404", w.Code)
	}
}
