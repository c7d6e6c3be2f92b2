package main

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rewriting is a backend that says what it was asked, and in its header what the query's
// field parameters say, of the form Name: value.
func rewriting(t *testing.T) (url string) {
	t.Helper()
	return plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		for _, field := range r.URL.Query()["field"] {
			name, value, _ := strings.Cut(field, ": ")
			w.Header()[name] = append(w.Header()[name], value)
		}
		text := []string{r.Method + " " + r.RequestURI}
		for name, values := range r.Header {
			for _, value := range values {
				text = append(text, name+": "+value)
			}
		}
		slices.Sort(text[1:])
		body, _ := io.ReadAll(r.Body)
		for name, values := range r.Trailer {
			text = append(text, "then "+name+": "+strings.Join(values, ","))
		}
		io.WriteString(w, strings.Join(append(text, string(body)), "\n"))
	})
}

// only returns the lines of text that begin so.
func only(text string, beginnings ...string) (lines []string) {
	for line := range strings.Lines(text) {
		if slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(line, b) }) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// A backend sees the fields of a request as REQUEST_HEADERS says, over either protocol,
// wherever and however a client has written them.
func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS="+rewriting(t), "PROBE_MODE=off", "OTEL_TRACES_SAMPLER=always_on",
		"REQUEST_HEADERS=X-Asked: {host}{path}{?}\nX-Who: {client_ip},-X-Secret, ?X-Team: none\n+Accept-Language: de, en\nX-Ids: {trace_id} {request_id}",
	)
	const fields = "X-Asked: forged\r\nX_Asked: forged\r\nX-Secret: s\r\nX_secret: s\r\nX-Team: mine\r\nAccept-Language: fr\r\nX-Request-Id: id-1\r\nConnection: X-Asked, X-Who, close\r\n"
	answer := sendRaw(t, p.addr, "POST /a%2Fb//c;d?q=%zz HTTP/1.1\r\nHost: shop.test:8080\r\n"+fields+"Trailer: X-Secret, X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Secret: s\r\nX-Sum: 1\r\n\r\n")
	want := []string{"X-Asked: shop.test/a%2Fb//c;d?q=%zz", "X-Team: mine", "X-Who: 127.0.0.1", "then X-Sum: 1"}
	if diff := cmp.Diff(want, only(answer, "X-Asked", "X_asked", "X-Secret", "X_secret", "X-Team", "X-Who", "then ")); diff != "" {
		t.Errorf("over HTTP/1.1 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Accept-Language: de, en", "Accept-Language: fr"}, only(answer, "Accept-Language")); diff != "" {
		t.Errorf("over HTTP/1.1 (-want +got):\n%s", diff)
	}

	r := p.newRequest(t.Context(), "GET", "/a%2Fb", nil, "X-Asked: forged", "x_asked: forged", "X-Secret: s")
	r.Host = "shop.test"
	resp, err := h2cTransport(t).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if diff := cmp.Diff([]string{"X-Asked: shop.test/a%2Fb", "X-Team: none"}, only(string(body), "X-Asked", "X_asked", "X-Secret", "X-Team")); diff != "" {
		t.Errorf("over h2c (-want +got):\n%s", diff)
	}
	p.stop()
	traceID := p.spans("SERVER")[0].TraceID
	if got := only(answer, "X-Ids"); len(got) != 1 || got[0] != "X-Ids: "+traceID+" id-1" {
		t.Errorf("%q is not of the trace %s", got, traceID)
	}
}

// A client sees the fields of an answer as RESPONSE_HEADERS and SECURITY_HEADERS say.
func TestResponseHeaders(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS="+rewriting(t), "PROBE_MODE=off", "OTEL_SDK_DISABLED=true", "AUTH_API_KEYS=ci:"+apiKey, "AUTH_EXEMPT_PATHS=/open,/open/*",
		"RESPONSE_HEADERS=-Server, -X-Powered-By, Cache-Control: no-cache, max-age=60, +Vary: Accept, X-Path: {path}, -X-Frame-Options", "SECURITY_HEADERS=on")
	fields := []string{"Server", "X-Powered-By", "X_powered_by", "Cache-Control", "Vary", "X-Path", "X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy", "Location"}
	for _, test := range []struct {
		target string
		status int
		want   http.Header
	}{
		{"/open?field=Server:+x&field=X-Powered-By:+x&field=X_powered_by:+x&field=Vary:+Cookie&field=Referrer-Policy:+no-referrer&field=Location:+/b", 200, http.Header{
			"Cache-Control": {"no-cache, max-age=60"}, "Vary": {"Cookie", "Accept"}, "X-Path": {"/open"},
			"X-Content-Type-Options": {"nosniff"}, "Referrer-Policy": {"no-referrer"}, "Location": {"/b"},
		}},
		{"/closed", 401, http.Header{
			"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "Referrer-Policy": {"strict-origin-when-cross-origin"},
		}},
	} {
		resp, _ := p.ask(t, "GET", test.target, nil)
		got := http.Header{}
		for _, name := range fields {
			if values := resp.Header[name]; values != nil {
				got[name] = values
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" || resp.StatusCode != test.status {
			t.Errorf("%s: %d (-want +got):\n%s", test.target, resp.StatusCode, diff)
		}
	}
}

// What a backend calls by its own name is called by the proxy's where that is asked for,
// and is left alone where it is not.
func TestRewrittenResponses(t *testing.T) {
	t.Parallel()
	backend := rewriting(t)
	for responses, want := range map[string][2]string{
		"always": {"http://shop.test/b", "a=1; Path=/"},
		"on":     {backend + "/b", "a=1; Path=/; Domain=127.0.0.1"},
		"off":    {backend + "/b", "a=1; Path=/; Domain=127.0.0.1"},
	} {
		p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "OTEL_SDK_DISABLED=true", "REWRITE_RESPONSES="+responses)
		r := p.newRequest(t.Context(), "GET", "/a?field=Location:+"+backend+"/b&field=Set-Cookie:+a%3D1%3B+Path%3D/%3B+Domain%3D127.0.0.1", nil)
		r.Host = "shop.test"
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := [2]string{resp.Header.Get("Location"), resp.Header.Get("Set-Cookie")}; got != want {
			t.Errorf("%s: %q, want %q", responses, got, want)
		}
	}
}

func TestRewriteFaults(t *testing.T) {
	t.Parallel()
	want := []string{
		"REQUEST_HEADERS: X-Forwarded-For: says whom a request comes from, which the proxy vouches for",
		"REQUEST_HEADERS: X-Request-Id: is written by the proxy, which vouches for it",
		"REQUEST_HEADERS: X-User: {clientip} is unknown here; did you mean {client_ip}?",
		"RESPONSE_HEADERS: Content-Length: says where the content ends",
		`SECURITY_HEADERS="yes": must be on or off`,
	}
	got := faultsOf(t, "REQUEST_HEADERS=-X-Forwarded-For, X-Request-Id: 1, X-User: {clientip}", "RESPONSE_HEADERS=Content-Length: 1", "SECURITY_HEADERS=yes")
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is secret in a list of fields is shown nowhere.
func TestSecretsInFields(t *testing.T) {
	t.Parallel()
	const given = "REQUEST_HEADERS=X-Team: a, Authorization: Bearer hidden-1, X-Api-Key: hidden-2"
	var printed strings.Builder
	if err := command(t.Context(), []string{"config"}, []string{backends, given}, &printed); err != nil {
		t.Fatal(err)
	}
	shown := printed.String() + strings.Join(faultsOf(t, given+"}"), "\n")
	if !strings.Contains(shown, "X-Team: a, Authorization: ***, X-Api-Key: ***") || strings.Contains(shown, "hidden") {
		t.Error(shown)
	}
}
