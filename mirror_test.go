package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMirrorOfARoute follows a request and its copy: the copy says what it is, and is part
// of a trace of its own.
func TestMirrorOfARoute(t *testing.T) {
	t.Parallel()
	shown := func(r *http.Request) string {
		body, err := io.ReadAll(r.Body)
		return fmt.Sprintf("%s %s of %s for %s: %s, mirror %q, %v", r.Method, r.RequestURI, r.Host, r.Header.Get("X-Forwarded-For"), body, r.Header["X-Mirror"], err)
	}
	var main, parent string
	copies := make(chan string, 1)
	v1 := plainBackend(t, func(_ http.ResponseWriter, r *http.Request) { main = shown(r) })
	shadow := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		parent = r.Header.Get("Traceparent")
		copies <- shown(r)
		w.WriteHeader(http.StatusTeapot) // which nobody gets to see
	})
	p := startBeside(t, v1, "MIRROR_BACKENDS="+shadow+" MIRROR=100% MIRROR_METHODS=POST")
	resp, err := p.send(t.Context(), "POST", "/a%2Fb?x=1;y", strings.NewReader("all of it"), "traceparent: "+callersParent+"-01")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	copied := <-copies
	p.stop()
	want := "POST /a%2Fb?x=1;y of " + p.addr + " for 127.0.0.1: all of it, mirror [], <nil>"
	if diff := cmp.Diff(want, main); diff != "" || resp.StatusCode != http.StatusOK {
		t.Errorf("the request was answered %d (-want +got):\n%s", resp.StatusCode, diff)
	}
	if diff := cmp.Diff(strings.Replace(want, "[]", `["true"]`, 1), copied); diff != "" {
		t.Errorf("the copy (-want +got):\n%s", diff)
	}
	p.checkSpans(t, "POST /* SERVER Unset\n"+
		"  POST CLIENT Unset\n"+
		"POST CLIENT Error spangate.mirror=true error.type=418 link=1\n", "spangate.mirror", "error.type")
	callers := strings.Split(callersParent, "-")[1]
	if strings.Contains(parent, callers) || !strings.HasSuffix(parent, "-03") {
		t.Errorf("the mirror is told to be part of %s", parent)
	}
	if n := p.counted("spangate.mirror.requests"); n != 1 {
		t.Errorf("%v copies were counted", n)
	}
}

// A mirror that leads back to the proxy gets one copy, and none of that.
func TestMirrorOfItself(t *testing.T) {
	t.Parallel()
	var asked, copied atomic.Int64
	v1 := plainBackend(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	var p *program
	answered := make(chan struct{}, 1000)
	shadow := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		copied.Add(1)
		back, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+p.addr+r.RequestURI, r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		back.Header = r.Header
		if resp, err := http.DefaultTransport.RoundTrip(back); err != nil {
			t.Error(err)
		} else {
			resp.Body.Close()
		}
		answered <- struct{}{}
	})
	p = startBeside(t, v1, "MIRROR_BACKENDS="+shadow+" MIRROR=100%")
	if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("answered %d", resp.StatusCode)
	}
	<-answered
	p.stop()
	if n := p.counted("spangate.mirror.requests"); n != 1 || copied.Load() != 1 || asked.Load() != 2 {
		t.Errorf("%v copies were counted, the mirror got %d, and the backend %d requests", n, copied.Load(), asked.Load())
	}
}

// Nobody waits for a mirror that hangs: were one request to, it would for ever, as the
// mirror answers nobody before all are answered.
func TestMirrorThatHangsDelaysNobody(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	shadow := plainBackend(t, func(http.ResponseWriter, *http.Request) { <-release })
	p := startBeside(t, "echo:v1", "MIRROR_BACKENDS="+shadow+" MIRROR=100% MIRROR_TIMEOUT=1h MIRROR_MAX_CONCURRENT=2 MIRROR_MAX_MEMORY=64KiB")
	const requests = 100
	for range requests {
		if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("answered %d", resp.StatusCode)
		}
	}
	close(release)
	p.stop()
	counted := map[string]float64{}
	for _, point := range p.points("spangate.mirror.requests") {
		why, _ := point.Attributes["spangate.mirror.reason"].(string)
		counted[why] += point.Value
	}
	all := 0.
	for _, n := range counted {
		all += n
	}
	if all != requests || counted["memory"] < requests*9/10 {
		t.Errorf("what became of copies: %v", counted)
	}
	if spans := p.spans("SERVER"); len(spans) != requests {
		t.Errorf("%d requests were traced", len(spans))
	}
}
