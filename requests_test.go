package main

import (
	"fmt"
	"io"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMalformedStreams checks that a malformed request of HTTP/2 is answered
// with 400, or its stream reset, and costs its connection nothing.
func TestMalformedStreams(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS="+telling(t, "Host", "Content-Length"))
	const reset = "PROTOCOL_ERROR"
	get := func(more ...string) []string { return append(request("GET", "/"), more...) }
	without := func(name string, more ...string) []string {
		fields := request("GET", "/")
		at := slices.Index(fields, name)
		return append(slices.Delete(fields, at, at+2), more...)
	}
	for name, test := range map[string]struct {
		fields []string
		want   string
	}{
		"well-formed": {get(), "200 GET /"},

		"a length without content":       {get("content-length", "5"), "400 The content's length is not that of the content."},
		"a length of 0 without content":  {get("content-length", "0"), "200 GET /"},
		"two lengths":                    {get("content-length", "5", "content-length", "6"), "400 The content's length is given more than once."},
		"two lengths that agree":         {get("content-length", "0", "content-length", "0"), "400 The content's length is given more than once."},
		"a list of lengths":              {get("content-length", "0, 0"), "400 The content's length is not a number."},
		"a length with a sign":           {get("content-length", "+0"), "400 The content's length is not a number."},
		"an empty length":                {get("content-length", ""), "400 The content's length is not a number."},
		"host unlike authority":          {get("host", "y"), "400 The host is not the authority."},
		"host as authority":              {get("host", "X"), "200 GET /"},
		"host with the port of http":     {get("host", "x:80"), "200 GET /"},
		"host with another port":         {get("host", "x:81"), "400 The host is not the authority."},
		"host twice":                     {get("host", "x", "host", "x"), "400 The host is named more than once."},
		"host twice without authority":   {without(":authority", "host", "x", "host", "y"), "400 The host is named more than once."},
		"an empty host":                  {get("host", ""), "400 The host is not the authority."},
		"a user in the authority":        {without(":authority", ":authority", "u@x"), reset},
		"no path":                        {without(":path"), reset},
		"an empty path":                  {without(":path", ":path", ""), reset},
		"a path twice":                   {get(":path", "/b"), reset},
		"a method with a blank":          {without(":method", ":method", "G T"), "400 The method is not valid."},
		"no method":                      {without(":method"), reset},
		"an empty method":                {without(":method", ":method", ""), reset},
		"no scheme":                      {without(":scheme"), reset},
		"another scheme":                 {without(":scheme", ":scheme", "ftp"), reset},
		"a pseudo-header of responses":   {get(":status", "200"), reset},
		"an unknown pseudo-header":       {get(":unknown", "1"), reset},
		"a pseudo-header behind a field": {without(":path", "a", "b", ":path", "/"), reset},
		"a protocol":                     {get(":protocol", "websocket"), "400 A protocol is for CONNECT alone."},
		"a name in capitals":             {get("A", "b"), reset},
		"a name with a blank":            {get("a b", "c"), reset},
		"a line end in a value":          {get("a", "b\r\nc: d"), reset},
		"Connection":                     {get("connection", "close"), `400 request header "Connection" is not valid in HTTP/2`},
		"Transfer-Encoding":              {get("transfer-encoding", "chunked"), `400 request header "Transfer-Encoding" is not valid in HTTP/2`},
		"Upgrade":                        {get("upgrade", "websocket"), `400 request header "Upgrade" is not valid in HTTP/2`},
		"TE of other than trailers":      {get("te", "gzip"), `400 request header "TE" may only be "trailers" in HTTP/2`},
		"CONNECT":                        {[]string{":method", "CONNECT", ":authority", "x:443"}, "501 There are no tunnels here."},
		"CONNECT with a path":            {request("CONNECT", "/"), reset},
		"an asterisk for OPTIONS":        {request("OPTIONS", "*"), "204"},
		"a method of PRI":                {request("PRI", "*"), "400 The target * is for OPTIONS only."},
	} {
		t.Run(name, func(t *testing.T) {
			c := newHTTP2Client(t, p.addr)
			got := brieflyHTTP2(c.answer(c.open(true, test.fields...)).String())
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			c.goesOn("200 GET /next")
		})
	}
	t.Run("content longer than its length", func(t *testing.T) {
		c := newHTTP2Client(t, p.addr)
		stream := c.open(false, append(request("POST", "/"), "content-length", "1")...)
		c.data(stream, true, "ab")
		if got := c.answer(stream).String(); got != reset && !strings.HasPrefix(got, "400") {
			t.Errorf("got %s", got)
		}
	})
	t.Run("content behind a length of 0", func(t *testing.T) {
		c := newHTTP2Client(t, p.addr)
		stream := c.open(false, append(request("POST", "/"), "content-length", "0")...)
		c.goesOn("200 GET /next")
		if got := c.got[stream]; len(got.statuses) > 0 {
			t.Errorf("answered with %s before it was whole", got)
		}
		c.data(stream, true, "ab")
		if got := c.answer(stream).String(); got != reset && !strings.HasPrefix(got, "400") {
			t.Errorf("got %s", got)
		}
		c.goesOn("200 GET /next")
	})
	t.Run("no content behind a length of 0", func(t *testing.T) {
		c := newHTTP2Client(t, p.addr)
		stream := c.open(false, append(request("POST", "/"), "content-length", "0")...)
		c.data(stream, true, "")
		if got, want := c.answer(stream).String(), "200 POST / Content-Length=0"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("content shorter than its length", func(t *testing.T) {
		c := newHTTP2Client(t, p.addr)
		stream := c.open(false, append(request("POST", "/"), "content-length", "3")...)
		c.data(stream, true, "ab")
		if got := c.answer(stream); got.statuses[0] != "400" {
			t.Errorf("got %s", got)
		}
		c.goesOn("200 GET /next")
	})
}

// TestRequestsThatCannotBeRead checks what HTTP/1.1 clients are told of requests
// whose end, or meaning, is in doubt.
func TestRequestsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS="+telling(t, "Transfer-Encoding"))
	get, post := "GET / HTTP/1.1\r\nHost: x\r\n", "POST / HTTP/1.1\r\nHost: x\r\n"
	const unframed = "400 a Transfer-Encoding that does not end in chunked"
	const preface = "400 an HTTP/2 preface that is not whole"
	for name, test := range map[string]struct{ request, want string }{
		"a coding alone":                   {post + "Transfer-Encoding: gzip\r\n\r\n", unframed},
		"identity":                         {post + "Transfer-Encoding: identity\r\n\r\n", unframed},
		"chunked below another":            {post + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", unframed},
		"chunked below another, two lines": {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", unframed},
		"chunked twice":                    {post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", unframed},
		"chunked twice, two lines":         {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", unframed},
		"chunked with a parameter":         {post + "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", unframed},
		"chunked in quotes":                {post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", unframed},
		"chunked behind a vertical tab":    {post + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", `400 value of field "Transfer-Encoding" with a control character`},
		"no coding":                        {post + "Transfer-Encoding:\r\n\r\n", unframed},
		"another coding below chunked":     {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501 501 Not Implemented: a Transfer-Encoding other than chunked"},

		"a preface with a field":         {"PRI * HTTP/2.0\r\nHost: x\r\n\r\nSM\r\n\r\n", preface},
		"a preface without its end":      {"PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", preface},
		"a preface with more":            {"PRI * HTTP/2.0\r\n\r\nSM\r\nX: y\r\n\r\n", preface},
		"a preface of another version":   {"PRI * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "400 The target * is for OPTIONS only."},
		"a preface for another resource": {"PRI / HTTP/2.0\r\nHost: x\r\n\r\n", "505 505 HTTP Version Not Supported: version HTTP/2.0"},

		"both lengths":                 {post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 both Content-Length and Transfer-Encoding"},
		"no host":                      {"GET / HTTP/1.1\r\n\r\n", "400 no Host"},
		"two hosts":                    {get + "Host: x\r\n\r\n", "400 more than one Host"},
		"a blank before the colon":     {get + "X : y\r\n\r\n", `400 field name "X "`},
		"a field without a colon":      {get + "X\r\n\r\n", "400 a field without a colon"},
		"a field without a name":       {get + ": y\r\n\r\n", `400 field name ""`},
		"a name that is no token":      {get + "X(: y\r\n\r\n", `400 field name "X("`},
		"a method that is no token":    {"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", `400 method "G(T"`},
		"no version":                   {"GET /\r\nHost: x\r\n\r\n", `400 request line "GET /", which is not a method, a target and a version`},
		"a version in lower case":      {"GET / http/1.1\r\nHost: x\r\n\r\n", `400 version "http/1.1"`},
		"two blanks":                   {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", `400 version "/ HTTP/1.1"`},
		"a folded line":                {get + "X: y\r\n z\r\n\r\n", "400 a folded line"},
		"a bare line feed":             {"GET / HTTP/1.1\nHost: x\r\n\r\n", "400 a line that ends in a bare LF"},
		"a trailer with a blank":       {post + "Transfer-Encoding: chunked\r\n\r\n0\r\nX : y\r\n\r\n", "400 The request's body does not follow its framing."},
		"a blank before an extension":  {post + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2 \t;a=b\r\nab\r\n1 ; c = \"d ;\"\r\nc\r\n0 ;e\r\n\r\n", "200 POST / abc"},
		"NUL in an extension":          {post + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3;a=\"\x00\"\r\nabc\r\n0\r\n\r\n", "400 The request's body does not follow its framing."},
		"DEL in the last extension":    {post + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0;\x7f\r\n\r\n", "400 The request's body does not follow its framing."},
		"a tab and 8 bits in one":      {post + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3;a=\"\t\xff\"\r\nabc\r\n0\r\n\r\n", "200 POST / abc"},
		"a blank without an extension": {post + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2 \r\nab\r\n0\r\n\r\n", "400 The request's body does not follow its framing."},
		"a blank before a size":        {post + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n 2;a\r\nab\r\n0\r\n\r\n", "400 The request's body does not follow its framing."},
		"a blank amid a size":          {post + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1 0;a\r\nab\r\n0\r\n\r\n", "400 The request's body does not follow its framing."},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, brieflyHTTP1(t, sendRaw(t, p.addr, test.request))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a preface behind a request", func(t *testing.T) {
		s := p.session(t)
		s.ask(t, get+"\r\n")
		io.WriteString(s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		answer, err := io.ReadAll(s.in)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := brieflyHTTP1(t, string(answer)), "400 an HTTP/2 preface behind a request"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("a long upload behind a fault", func(t *testing.T) {
		answer := sendRaw(t, p.addr, post+"X : y\r\nContent-Length: 500000\r\n\r\n"+strings.Repeat("x", 500_000))
		if got, want := brieflyHTTP1(t, answer), `400 field name "X "`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestExpectations checks what becomes of Expect.
func TestExpectations(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS="+telling(t, "Expect"))
	const refused = "417 Nothing but 100-continue can be expected."
	for name, test := range map[string]struct{ version, expect, want string }{
		"100-continue":           {"1.1", "100-continue", "100 200 POST / Expect=100-continue hello"},
		"in capitals":            {"1.1", "100-Continue", "100 200 POST / Expect=100-continue hello"},
		"another and it":         {"1.1", "y 100-continue", refused},
		"another, and it":        {"1.1", "y, 100-continue", refused},
		"it and another":         {"1.1", "100-continue, y", refused},
		"with a value":           {"1.1", "100-continue=1", refused},
		"another":                {"1.1", "y", refused},
		"empty":                  {"1.1", "", "200 POST / hello"},
		"commas":                 {"1.1", ",", "200 POST / hello"},
		"it and an empty one":    {"1.1", "100-continue, ", "100 200 POST / Expect=100-continue hello"},
		"100-continue, HTTP/1.0": {"1.0", "100-continue", "200 POST / hello"},
		"another, HTTP/1.0":      {"1.0", "y", "200 POST / hello"},
		"two, HTTP/1.0":          {"1.0", "y 100-continue", "200 POST / hello"},
	} {
		t.Run(name, func(t *testing.T) {
			got := p.expecting(t, "POST / HTTP/"+test.version+"\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\nExpect: "+test.expect+"\r\n\r\n", "hello")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("without content", func(t *testing.T) {
		got := p.expecting(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n", "")
		if want := "200 GET /"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	for _, length := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP2 with a length %v", length), func(t *testing.T) {
			c := newHTTP2Client(t, p.addr)
			fields := append(request("POST", "/"), "expect", "100-continue")
			if length {
				fields = append(fields, "content-length", "5")
			}
			stream := c.open(false, fields...)
			for len(c.got[stream].statuses) == 0 {
				c.read()
			}
			c.data(stream, true, "hello")
			if got := c.answer(stream).String(); !strings.HasPrefix(got, "100 200 POST /") || !strings.HasSuffix(got, "hello") {
				t.Errorf("got %s", got)
			}
		})
	}
	for _, expect := range []string{"y", "y 100-continue"} {
		t.Run("HTTP2 another: "+expect, func(t *testing.T) {
			c := newHTTP2Client(t, p.addr)
			stream := c.open(false, append(request("POST", "/"), "expect", expect)...)
			if got := brieflyHTTP2(c.answer(stream).String()); got != refused {
				t.Errorf("got %s", got)
			}
			c.goesOn("200 GET /next")
		})
	}
}

// expecting sends head, and content after the 100 if one comes first, and
// returns the statuses and the body. Where the client waits in vain, the content
// follows at once.
func (p *program) expecting(t *testing.T, head, content string) string {
	t.Helper()
	s := p.session(t)
	io.WriteString(s, head)
	if !strings.Contains(strings.ToLower(head), "expect: 100-continue\r\n") || strings.Contains(head, "HTTP/1.0") {
		io.WriteString(s, content)
		content = ""
	}
	statuses := ""
	for {
		line, err := textproto.NewReader(s.in).ReadLine()
		if err != nil || len(line) < len("HTTP/1.1 200") {
			t.Fatalf("%q, %v", line, err)
		}
		header, err := textproto.NewReader(s.in).ReadMIMEHeader()
		if err != nil {
			t.Fatal(err)
		}
		if status := line[9:12]; status != "100" {
			body, err := io.ReadAll(s.in)
			if err != nil {
				t.Fatal(err)
			}
			if header.Get("Content-Length") == "" && header.Get("Transfer-Encoding") != "" {
				t.Fatalf("chunks: %q", body)
			}
			return statuses + briefly(status, string(body))
		}
		statuses += "100 "
		io.WriteString(s, content)
		content = ""
	}
}
