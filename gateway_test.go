package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMaxHeaders checks that MAX_HEADERS counts the lines of a header, over both
// protocols, and that a refusal costs nobody the connection.
func TestMaxHeaders(t *testing.T) {
	t.Parallel()
	url := telling(t)
	byDefault, three := start(t, "BACKENDS="+url), start(t, "BACKENDS="+url, "MAX_HEADERS=3")
	for _, test := range []struct {
		p      *program
		fields int
		want   string
	}{
		{byDefault, 128, "200 GET /"},
		{byDefault, 129, "431 The header has 129 fields, of which 128 are accepted."},
		{three, 3, "200 GET /"},
		{three, 4, "431 The header has 4 fields, of which 3 are accepted."},
	} {
		for _, form := range []string{"x-%[1]d", "x%.0[1]d"} { // of names that differ, and of one
			t.Run(fmt.Sprintf(form, test.fields), func(t *testing.T) {
				lines, fields := "", request("GET", "/")
				for i := range test.fields {
					name := fmt.Sprintf(form, i)
					lines += name + ": y\r\n"
					fields = append(fields, name, "y")
				}
				s := test.p.session(t)
				if got, _ := s.ask(t, "GET / HTTP/1.1\r\nHost: x\r\n"+lines+"\r\n"); got != test.want {
					t.Errorf("over HTTP/1.1: %s, want %s", got, test.want)
				}
				if got, _ := s.ask(t, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"); got != "200 GET /next" {
					t.Errorf("next over HTTP/1.1: %s", got)
				}
				c := newHTTP2Client(t, test.p.addr)
				if got := brieflyHTTP2(c.answer(c.open(true, fields...)).String()); got != test.want {
					t.Errorf("over HTTP/2: %s, want %s", got, test.want)
				}
				c.goesOn("200 GET /next")
			})
		}
	}
}

// TestMaxForwards checks how OPTIONS and TRACE count down (RFC 9110 §7.6.2), and
// that the gateway answers what is about itself.
func TestMaxForwards(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS="+telling(t, "Max-Forwards"))
	const malformed = "400 Max-Forwards is not one number."
	for name, test := range map[string]struct {
		method, target string
		values         []string
		want           string
	}{
		"none left":              {"OPTIONS", "/a", []string{"0"}, "204"},
		"none left, in long":     {"OPTIONS", "/a", []string{"000"}, "204"},
		"one":                    {"OPTIONS", "/a", []string{"1"}, "200 OPTIONS /a Max-Forwards=0"},
		"ten":                    {"OPTIONS", "/a", []string{"010"}, "200 OPTIONS /a Max-Forwards=9"},
		"more than is countable": {"OPTIONS", "/a", []string{"99999999999999999999"}, "200 OPTIONS /a Max-Forwards=9223372036854775806"},
		"without limit":          {"OPTIONS", "/a", nil, "200 OPTIONS /a"},
		"negative":               {"OPTIONS", "/a", []string{"-1"}, malformed},
		"a word":                 {"OPTIONS", "/a", []string{"x"}, malformed},
		"empty":                  {"OPTIONS", "/a", []string{""}, malformed},
		"a list":                 {"OPTIONS", "/a", []string{"1, 2"}, malformed},
		"twice":                  {"OPTIONS", "/a", []string{"1", "1"}, malformed},
		"of the server":          {"OPTIONS", "*", []string{"5"}, "204"},
		"of another method":      {"GET", "/a", []string{"0"}, "200 GET /a Max-Forwards=0"},
		"TRACE, none left":       {"TRACE", "/a", []string{"0"}, "405 TRACE would show what is added on the way."},
		"TRACE, some left":       {"TRACE", "/a", []string{"5"}, "405 TRACE would show what is added on the way."},
		"TRACE":                  {"TRACE", "/a", nil, "405 TRACE would show what is added on the way."},
	} {
		t.Run(name, func(t *testing.T) {
			lines, fields := "", request(test.method, test.target)
			for _, value := range test.values {
				lines += "Max-Forwards: " + value + "\r\n"
				fields = append(fields, "max-forwards", value)
			}
			got, header := p.session(t).ask(t, test.method+" "+test.target+" HTTP/1.1\r\nHost: x\r\n"+lines+"\r\n")
			if got != test.want {
				t.Errorf("over HTTP/1.1: %s, want %s", got, test.want)
			}
			if answered := test.want == "204" || test.method == "TRACE"; answered != (header.Get("Allow") != "") {
				t.Errorf("Allow: %q", header.Get("Allow"))
			}
			c := newHTTP2Client(t, p.addr)
			if got := brieflyHTTP2(c.answer(c.open(true, fields...)).String()); got != test.want {
				t.Errorf("over HTTP/2: %s, want %s", got, test.want)
			}
		})
	}
	for target, want := range map[string]string{"http://x": "204", "http://x/": "200 OPTIONS /", "http://x?": "200 OPTIONS /?", "http://x?a": "200 OPTIONS /?a"} {
		if got, _ := p.session(t).ask(t, "OPTIONS "+target+" HTTP/1.1\r\nHost: x\r\n\r\n"); got != want {
			t.Errorf("OPTIONS %s: %s, want %s", target, got, want)
		}
	}
}

// TestRefusedConnect checks that nothing is taken for a request that a client
// has sent into the tunnel which it did not get, whoever refused it.
func TestRefusedConnect(t *testing.T) {
	t.Parallel()
	url := telling(t)
	for name, test := range map[string]struct {
		door   string
		status string
	}{
		"by the gateway": {"", "501"},
		"by a list":      {"ALLOW_CIDRS=192.0.2.0/24", "403"},
		"by a key":       {"AUTH_API_KEYS=ci:" + apiKey, "401"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, append([]string{"BACKENDS=" + url}, strings.Fields(test.door)...)...)
			for _, tunnelled := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x00\x00"} {
				s := p.session(t)
				got, header := s.ask(t, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n"+tunnelled)
				if status, _, _ := strings.Cut(got, " "); status != test.status || header.Get("Connection") != "close" {
					t.Errorf("%q: %s, Connection: %q", tunnelled, got, header.Get("Connection"))
				}
				s.ended(t)
			}
			c := newHTTP2Client(t, p.addr)
			if got := c.answer(c.open(true, ":method", "CONNECT", ":authority", "x:443")).statuses[0]; got != test.status {
				t.Errorf("over HTTP/2: %s", got)
			}
			if c.get("/"); c.left {
				t.Error("the connection is gone")
			}
		})
	}
}

// A request that offers a switch is the last of its connection, also where the
// answer asks for another one: what comes behind it is not looked at.
func TestNothingIsReadBehindAnOfferedSwitch(t *testing.T) {
	t.Parallel()
	p := start(t, "PROBE_MODE=off", "BACKENDS=http://"+saying(t, "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: y\r\nContent-Length: 0\r\n\r\n"))
	answer := sendRaw(t, p.addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nGET / HTTP/1.1\nHost: x\n\n")
	if n := strings.Count(answer, "HTTP/1.1 "); n != 1 || !strings.Contains(answer, "Connection: close\r\n") {
		t.Errorf("%d answers: %q", n, answer)
	}
}

// TestUpgradeRequired checks that a 426 says to what.
func TestUpgradeRequired(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=http://"+saying(t, "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2, HTTP/1.1\r\nContent-Length: 0\r\n\r\n"))
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n": "Connection: Upgrade|Connection: close|Upgrade: TLS/1.2, HTTP/1.1",
		"GET / HTTP/1.0\r\nHost: x\r\n\r\n":                      "",
	} {
		var got []string
		for line := range strings.SplitSeq(sendRaw(t, p.addr, request), "\r\n") {
			if strings.HasPrefix(line, "Connection:") || strings.HasPrefix(line, "Upgrade:") {
				got = append(got, line)
			}
		}
		slices.Sort(got)
		if got := strings.Join(got, "|"); got != want {
			t.Errorf("%q: %s, want %s", request, got, want)
		}
	}
	if got, header := p.session(t).ask(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "426" || header.Get("Upgrade") != "TLS/1.2, HTTP/1.1" || header.Get("Connection") != "Upgrade" {
		t.Errorf("%s with %v", got, header)
	}
	c := newHTTP2Client(t, p.addr)
	answer := c.answer(c.open(true, request("GET", "/")...))
	if upgrade, ok := answer.header["upgrade"]; ok || answer.String() != "426" {
		t.Errorf("over HTTP/2: %s with %q", answer, upgrade)
	}
}

// TestHTTP10 checks that a client of HTTP/1.0 gets what that has: no interim
// response and no switch of protocols.
func TestHTTP10(t *testing.T) {
	t.Parallel()
	switching := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(http.StatusEarlyHints)
			io.WriteString(w, "plain")
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "x")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	p := start(t, "BACKENDS="+switching)
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\n":                                       "103",
		"GET / HTTP/1.0\r\nHost: x\r\n":                                       "200 plain",
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n":  "101",
		"GET / HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n":  "200 plain",
		"GET / HTTP/1.0\r\nConnection: Upgrade, keep-alive\r\nUpgrade: x\r\n": "200 plain",
	} {
		if got, _ := p.session(t).ask(t, request+"\r\n"); got != want {
			t.Errorf("%q: %s, want %s", request, got, want)
		}
	}
	t.Run("framing behind an offer to switch", func(t *testing.T) {
		s := p.session(t)
		s.ask(t, "GET / HTTP/1.0\r\nConnection: Upgrade, keep-alive\r\nUpgrade: x\r\n\r\n")
		got, _ := s.ask(t, "GET / HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n")
		if diff := cmp.Diff(`400 field name "X "`, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestResponseNames checks that a response whose field has a blank before its
// colon, which one reader drops and another does not, is refused: the answer is
// the gateway's own, in an interim response too.
func TestResponseNames(t *testing.T) {
	t.Parallel()
	for name, response := range map[string]string{
		"of a field":              "HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n",
		"of a length":             "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
		"of an interim response":  "HTTP/1.1 103 Early Hints\r\nX : y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"a name that is no token": "HTTP/1.1 200 OK\r\nX(: y\r\nContent-Length: 0\r\n\r\n",
		"no colon":                "HTTP/1.1 200 OK\r\nX\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, "BACKENDS=http://"+saying(t, response), "RETRY_ATTEMPTS=0")
			if got, _ := p.session(t).ask(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "502 The server behind the gateway gave no valid answer." {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestBlanksBeforeExtensions checks that a response may have what RFC 9112 §7.1.1
// has recipients read: blanks before a chunk's extension.
func TestBlanksBeforeExtensions(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=http://"+saying(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \t;a=b\r\nhe\r\n3 ; c\r\nllo\r\n0 ;d\r\n\r\n"))
	if got, _ := p.session(t).ask(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "200 hello" {
		t.Errorf("got %s", got)
	}
}

// TestTrailersAreAccepted checks that a client's word that it takes trailers
// reaches backends of either protocol, as a field of that connection.
func TestTrailersAreAccepted(t *testing.T) {
	t.Parallel()
	tell := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, r.Proto, " ", r.Header["Te"], " ", r.Header["Connection"])
	}
	http1, h2c := eitherBackend(t, tell)
	for backend, test := range map[string]struct{ without, with string }{
		http1: {"HTTP/1.1 [] []", "HTTP/1.1 [trailers] [TE]"},
		h2c:   {"HTTP/2.0 [] []", "HTTP/2.0 [trailers] []"},
	} {
		t.Run(backend, func(t *testing.T) {
			p := start(t, "BACKENDS="+backend)
			for lines, want := range map[string]string{
				"":                                   test.without,
				"TE: gzip\r\nConnection: TE\r\n":     test.without,
				"TE: trailers\r\n":                   test.with,
				"Connection: TE\r\nTE: trailers\r\n": test.with,
				"TE: gzip, trailers;q=1\r\nTE: trailers\r\nConnection: TE\r\n": test.with,
			} {
				if got, _ := p.session(t).ask(t, "GET / HTTP/1.1\r\nHost: x\r\n"+lines+"\r\n"); got != "200 "+want {
					t.Errorf("%q: %s, want %s", lines, got, want)
				}
			}
			c := newHTTP2Client(t, p.addr)
			if got := c.get("/", "te", "trailers"); got != "200 "+test.with {
				t.Errorf("over HTTP/2: %s", got)
			}
			if got := c.get("/"); got != "200 "+test.without {
				t.Errorf("over HTTP/2 without: %s", got)
			}
		})
	}
}
