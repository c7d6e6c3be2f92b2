package main

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A client of HTTP/2 is asked to leave before it is told which of its requests will
// not be looked at: what is on its way in between is answered.
func TestGoAwayInTwoSteps(t *testing.T) {
	t.Parallel()
	held, finish := make(chan struct{}), make(chan struct{})
	backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			close(held)
			<-finish
		}
		io.WriteString(w, r.URL.Path)
	})
	p := start(t, "BACKENDS="+backend, "PROBE_MODE=off")
	c := newHTTP2Client(t, p.addr)
	c.get("/")
	stream := c.open(true, request("GET", "/held")...)
	<-held
	go p.stop()
	for !c.left {
		c.read()
	}
	if got := c.get("/crossing"); got != "200 /crossing" {
		t.Errorf("a request that crosses the first GOAWAY: %s", got)
	}
	for len(c.goAways) < 2 {
		c.read()
	}
	close(finish)
	if got := c.answer(stream).String(); got != "200 /held" {
		t.Errorf("a request from before: %s", got)
	}
	if diff := cmp.Diff([]string{"0x7fffffff NO_ERROR", "0x5 NO_ERROR"}, c.goAways); diff != "" {
		t.Error(diff)
	}
	if _, err := c.framer.ReadFrame(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection ends with %v", err)
	}
}

// Who begins HTTP/2 when all others have been told to leave is told too, though it
// does not heed the first word.
func TestGoAwayForWhoBeginsLate(t *testing.T) {
	t.Parallel()
	held, finish := make(chan struct{}), make(chan struct{})
	backend := plainBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			close(held)
			<-finish
		}
	})
	p := start(t, "BACKENDS="+backend, "PROBE_MODE=off")
	late := dial(t, p.addr)
	c := newHTTP2Client(t, p.addr)
	stream := c.open(true, request("GET", "/held")...)
	<-held
	go p.stop()
	for len(c.goAways) < 2 {
		c.read()
	}
	l := http2ClientOver(t, late) // and asks for nothing
	for len(l.goAways) < 2 {
		l.read()
	}
	if _, err := l.framer.ReadFrame(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection ends with %v", err)
	}
	close(finish)
	if got := c.answer(stream).String(); got != "200" { // before all is cut off
		t.Errorf("a request from before: %s", got)
	}
}

// While connections are still accepted, a client of HTTP/2 is asked to leave with an
// answer, as one of HTTP/1.1 is: a new connection that says goodbye before it has
// served anything would only be made anew.
func TestGoAwayWithinTheDelay(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS="+plainBackend(t, func(http.ResponseWriter, *http.Request) {}), "PROBE_MODE=off", "SHUTDOWN_DELAY=6s")
	before := newHTTP2Client(t, p.addr)
	go p.stop()
	p.await("draining")
	for name, c := range map[string]*http2Client{"from before": before, "new": newHTTP2Client(t, p.addr)} {
		c.try(c.framer.WritePing(false, [8]byte{}))
		for !c.ponged {
			c.read()
		}
		if c.left {
			t.Errorf("%s: told to leave without an answer", name)
		}
		if got := c.get("/"); got != "200" || !c.left {
			t.Errorf("%s: %s, told to leave: %v", name, got, c.left)
		}
		c.goAways = nil
		if got := c.get("/crossing"); got != "200" || c.goAways != nil {
			t.Errorf("%s: crossing: %s, and told %v", name, got, c.goAways)
		}
	}
}
