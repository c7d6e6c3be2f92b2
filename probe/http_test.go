package probe_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/wiretest"
	"spangate/probe"
)

func ExampleHTTP() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.RequestURI, r.UserAgent())
	}))
	defer server.Close()
	u, _ := url.Parse(server.URL)
	check := probe.HTTP(&http.Transport{}, "", "/healthz?full", nil)
	fmt.Println(check(context.Background(), u))
	// Output:
	// GET /healthz?full spangate-probe
	// <nil>
}

func TestHTTPStatus(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.Header().Set("Location", "/200")
		w.WriteHeader(status)
	}))
	defer server.Close()
	u, _ := url.Parse(server.URL)
	for _, test := range []struct {
		status int
		set    string
		fit    bool
	}{
		{200, "200-399", true},
		{204, "200-399", true},
		{302, "200-399", true},
		{302, "200-299", false}, // and not followed
		{404, "200-399", false},
		{404, "404", true},
		{503, "200-399", false},
	} {
		t.Run(fmt.Sprintf("%d in %s", test.status, test.set), func(t *testing.T) {
			var set probe.StatusSet
			if err := set.UnmarshalText([]byte(test.set)); err != nil {
				t.Fatal(err)
			}
			err := probe.HTTP(&http.Transport{}, "", fmt.Sprintf("/%d", test.status), set)(t.Context(), u)
			want, kind := "", ""
			if !test.fit {
				want, kind = fmt.Sprintf("probing %s/%d: status %d", server.URL, test.status, test.status), fmt.Sprint(test.status)
			}
			if got := text(err); got != want || errorType(err) != kind {
				t.Errorf("got %q of type %q, want %q of type %q", got, errorType(err), want, kind)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What a probe looks like to a backend.
func TestHTTPRequest(t *testing.T) {
	type request struct{ Method, URI, Host, Agent string }
	got := make(chan request, 1)
	connections := make(chan net.Conn, 10)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- request{r.Method, r.RequestURI, r.Host, r.UserAgent()}
	}))
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections <- conn
		}
	}
	server.Start()
	defer server.Close()
	u, _ := url.Parse(server.URL + "/prefix")
	rt := &http.Transport{}
	for _, test := range []struct{ name, host, path, wantHost, wantURI string }{
		{"the backend's host", "", "/up", u.Host, "/up"},
		{"another host", "app.example", "/up", "app.example", "/up"},
		{"a raw query", "", "/up?a=1;b=%20", u.Host, "/up?a=1;b=%20"},
		{"an escaped slash", "", "/a%2Fb", u.Host, "/a%2Fb"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := probe.HTTP(rt, test.host, test.path, nil)(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			want := request{"GET", test.wantURI, test.wantHost, "spangate-probe"}
			if diff := cmp.Diff(want, <-got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if n := len(connections); n != 4 {
		t.Errorf("4 probes made %d connections, want one each", n)
	}
}

// raw answers each connection with text, and leaves it open if hang.
func raw(t *testing.T, text string, hang bool) *url.URL {
	t.Helper()
	addr := wiretest.Listen(t, func(conn net.Conn, _ int) {
		io.ReadAtLeast(conn, make([]byte, 1<<10), 1)
		io.WriteString(conn, text)
		if hang {
			io.Copy(io.Discard, conn)
		}
	})
	return &url.URL{Scheme: "http", Host: addr}
}

func TestHTTPHostileAnswers(t *testing.T) {
	for _, test := range []struct {
		name, answer string
		hang         bool
		want         string
	}{
		{"not HTTP", "220 smtp ready\r\n", false, "malformed HTTP"},
		{"nothing", "", false, "EOF"},
		{"no answer in time", "", true, "context deadline exceeded"},
		{"a body that breaks off", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", false, "reading the body: unexpected EOF"},
		{"a body that hangs", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", true, "reading the body: context deadline exceeded"},
		{"an error with a body that hangs", "HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nx", true, "status 500"},
		{"a body without end", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 1<<20), true, ""},
		{"protocols switched unasked", "HTTP/1.1 101 Why\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", true, "status 101"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			u := raw(t, test.answer, test.hang)
			err := probe.HTTP(&http.Transport{}, "", "/", nil)(ctx, u)
			if (err == nil) != (test.want == "") || !strings.Contains(text(err), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if strings.Contains(text(err), "reading the body") {
				if got, want := errorType(err), map[bool]string{true: "timeout", false: "backend_reset"}[test.hang]; got != want {
					t.Errorf("error.type %q of %v, want %q", got, err, want)
				}
			}
		})
	}
}

func TestHTTPWithPathsThatAreNone(t *testing.T) {
	u := raw(t, "", false)
	for _, path := range []string{"", "x", "/%zz", "/\n"} {
		if err := probe.HTTP(&http.Transport{}, "", path, nil)(t.Context(), u); !strings.Contains(text(err), "probing "+path) {
			t.Errorf("%q: %v", path, err)
		}
	}
}
