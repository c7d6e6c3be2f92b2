package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestStreamsFailAlone checks that what is wrong with one request over HTTP/2
// ends that request, and not its connection with all others on it.
func TestStreamsFailAlone(t *testing.T) {
	t.Parallel()
	arrived, finish := make(chan struct{}, 100), make(chan struct{})
	url := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- struct{}{}
			<-finish
		}
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "done")
	})
	p := start(t, "BACKENDS="+url, "MAX_REQUEST_BODY=8B")
	impatient := start(t, "BACKENDS="+url, "CLIENT_TIMEOUT=500ms")
	for name, test := range map[string]struct {
		fields  []string
		content string
		ends    bool
		want    string
	}{
		"content shorter than its length": {[]string{"content-length", "5"}, "abc", true, "400 The request's body does not follow its framing."},
		"a length above the limit":        {[]string{"content-length", "9"}, "", false, "413 The request's body is larger than is accepted here."},
		"content above the limit":         {nil, "123456789", true, "413 The request's body is larger than is accepted here."},
		"a pause":                         {nil, "abc", false, "408 The request's body did not arrive in time."},
		"a pause within a length":         {[]string{"content-length", "5"}, "abc", false, "408 The request's body did not arrive in time."},
		"a pause before the first byte":   {nil, "", false, "408 The request's body did not arrive in time."},
		"an empty frame for content":      {[]string{"content-length", "5"}, "", true, "400 The request's body does not follow its framing."},
		"a field of connections":          {[]string{"te", "gzip"}, "", true, `400 request header "TE" may only be "trailers" in HTTP/2`},
	} {
		t.Run(name, func(t *testing.T) {
			p := p
			if strings.HasPrefix(test.want, "408") {
				p = impatient
			}
			c := newHTTP2Client(t, p.addr)
			other := c.open(true, request("GET", "/slow")...)
			<-arrived
			stream := c.open(false, append(request("POST", "/"), test.fields...)...)
			if test.content != "" || test.ends {
				c.data(stream, test.ends, test.content)
			}
			if got := brieflyHTTP2(c.answer(stream).String()); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			finish <- struct{}{}
			if got := c.answer(other).String(); got != "200 done" {
				t.Errorf("the other request: %s", got)
			}
			c.goesOn("200 done")
		})
	}
}

// TestUnreadUploads checks that requests over HTTP/2 that nobody reads leave the
// others on their connection room.
func TestUnreadUploads(t *testing.T) {
	t.Parallel()
	finish := make(chan struct{})
	p := start(t, "BACKENDS="+plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/unread" {
			<-finish
			return
		}
		content, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, len(content))
	}))
	defer close(finish)
	c := newHTTP2Client(t, p.addr)
	for c.connectionWindow <= 65535 {
		c.read()
	}
	if int64(c.window) > c.connectionWindow/4 {
		t.Fatalf("one stream may take %d of %d bytes", c.window, c.connectionWindow)
	}
	for range 4 {
		c.data(c.open(false, request("POST", "/unread")...), false, strings.Repeat("x", int(c.window)))
	}
	stream := c.open(false, request("POST", "/")...)
	c.data(stream, true, strings.Repeat("x", 100_000))
	if got := c.answer(stream).String(); got != "200 100000" {
		t.Errorf("got %s", got)
	}
}
