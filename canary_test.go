package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"spangate/balancer"
	"spangate/handler/admin"
)

// startBeside starts a program with a route "shop" at backend, and these variables of it.
func startBeside(t *testing.T, backend, variables string, environ ...string) *program {
	t.Helper()
	environ = append(environ, "PROBE_MODE=off", "TRACE_TRUST=trust", "ROUTES=shop", "ROUTE_SHOP_MATCH=/*", "ROUTE_SHOP_BACKENDS="+backend)
	for variable := range strings.FieldsSeq(variables) {
		environ = append(environ, "ROUTE_SHOP_"+variable)
	}
	return start(t, environ...)
}

// TestStatusOfCanaryAndMirror holds what the status says of what a route has beside its
// backends.
func TestStatusOfCanaryAndMirror(t *testing.T) {
	t.Parallel()
	v1 := plainBackend(t, func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
	v2 := plainBackend(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	hangs := make(chan struct{})
	shadow := plainBackend(t, func(http.ResponseWriter, *http.Request) { <-hangs })
	t.Cleanup(func() { close(hangs) })
	p := startBeside(t, v1, "CANARY_BACKENDS="+v2+" CANARY=100% CANARY_ABORT=errors>5%/1h MIRROR_BACKENDS="+shadow+" MIRROR=100% MIRROR_MAX_CONCURRENT=1 MIRROR_METHODS=PUT MIRROR_TIMEOUT=1h", "RETRY_BODY_LIMIT=1KiB")
	before := p.status(t).Routes[0]
	want := admin.Canary{Backends: []string{v2}, State: balancer.CanaryActive, Share: 1}
	if diff := cmp.Diff(&want, before.Canary, cmpopts.IgnoreFields(admin.Canary{}, "Since")); diff != "" {
		t.Errorf("canary at first (-want +got):\n%s", diff)
	}
	for range 6 {
		p.ask(t, "GET", "/", nil)
	}
	p.ask(t, "PUT", "/", strings.NewReader("a"))
	p.ask(t, "PUT", "/", strings.NewReader("b"))
	p.ask(t, "PUT", "/", strings.NewReader(strings.Repeat("c", 2<<10)))
	after := p.status(t).Routes[0]
	want = admin.Canary{Backends: []string{v2}, State: balancer.CanaryAborted, Why: balancer.CanaryFailed}
	if diff := cmp.Diff(&want, after.Canary, cmpopts.IgnoreFields(admin.Canary{}, "Since")); diff != "" || !after.Canary.Since.After(before.Canary.Since) {
		t.Errorf("aborted since %v, before %v (-want +got):\n%s", after.Canary.Since, before.Canary.Since, diff)
	}
	copies := admin.Mirror{Backends: []string{shadow}, Share: 1, Running: 1, Waiting: 1, Dropped: 1}
	if diff := cmp.Diff(&copies, after.Mirror, cmpopts.IgnoreFields(admin.Mirror{}, "Memory")); diff != "" || after.Mirror.Memory < 2*8<<10 {
		t.Errorf("mirror, of %d bytes (-want +got):\n%s", after.Mirror.Memory, diff)
	}
}

// TestCanaryAbortsAndReturns follows a new version that fails: what it fails is answered
// by the old one, its share is taken away, and it has that again once it is mended.
func TestCanaryAbortsAndReturns(t *testing.T) {
	t.Parallel()
	var asked, stable atomic.Int64
	v1 := plainBackend(t, func(http.ResponseWriter, *http.Request) { stable.Add(1) })
	v2 := plainBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) <= 5 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	p := startBeside(t, v1, "CANARY_BACKENDS="+v2+" CANARY=100% CANARY_ABORT=errors>5%/3s")
	for range 6 {
		if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("answered %d", resp.StatusCode)
		}
	}
	// How many requests pass until it has all of them again is no matter, and these leave
	// no trace.
	for row := 0; row < 30; row++ {
		before := stable.Load()
		p.once(t.Context(), "GET", "/", nil, "traceparent: "+callersParent+"-00")
		if stable.Load() > before {
			row = 0
		}
	}
	p.stop()
	const failed = "GET /* SERVER Unset spangate.canary.side=canary\n" +
		"  GET CLIENT Error error.type=503\n" +
		"  retry INTERNAL Unset\n"
	var want strings.Builder
	for i := range 5 {
		want.WriteString(failed + fmt.Sprintf("  GET CLIENT Unset link=%d\n", 4*i+2))
	}
	want.WriteString("canary_state_change INTERNAL Unset spangate.canary.previous_state=active spangate.canary.state=aborted spangate.canary.reason=errors spangate.canary.failures=5 link=2 link=6 link=10 link=14 link=18\n" +
		"GET /* SERVER Unset spangate.canary.side=stable\n" +
		"  GET CLIENT Unset\n" +
		"canary_state_change INTERNAL Unset spangate.canary.previous_state=aborted spangate.canary.state=trial spangate.canary.reason=waited link=21\n" +
		"canary_state_change INTERNAL Unset spangate.canary.previous_state=trial spangate.canary.state=active spangate.canary.reason=passed spangate.canary.failures=0 link=24\n")
	p.checkSpans(t, want.String(), "error.type", "spangate.canary.side", "spangate.canary.previous_state", "spangate.canary.state", "spangate.canary.reason", "spangate.canary.failures")
	if lines := p.log.named(t, "event.name", "spangate.canary.state_changed"); len(lines) != 3 {
		t.Errorf("the log tells of %d changes: %v", len(lines), lines)
	}
}

// A canary that is lost amid traffic costs nobody an answer.
func TestCanaryThatIsKilled(t *testing.T) {
	t.Parallel()
	v1 := plainBackend(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "v1") })
	var asked atomic.Int64
	v2 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		io.WriteString(w, "v2")
	}))
	t.Cleanup(v2.Close)
	p := startBeside(t, v1, "CANARY_BACKENDS="+v2.URL+" CANARY=50%")
	got := map[string]int{}
	for i := range 200 {
		if i == 100 {
			v2.Close()
		}
		method := "GET"
		if i%2 == 0 {
			method = "POST"
		}
		resp, text := p.ask(t, method, "/", strings.NewReader(strings.Repeat("x", i%2)))
		if resp.StatusCode != http.StatusOK {
			t.Errorf("request %d, a %s, was answered %d", i, method, resp.StatusCode)
		}
		got[text]++
	}
	if got["v2"] != int(asked.Load()) || got["v2"] < 20 || got["v1"]+got["v2"] != 200 {
		t.Errorf("answered by %v", got)
	}
}

// A client has one side, and whoever asks for one gets that.
func TestCanarySides(t *testing.T) {
	t.Parallel()
	p := startBeside(t, "echo:v1", "CANARY_BACKENDS=echo:v2 CANARY=30% CANARY_BY=cookie:sid CANARY_HEADER=X-Canary")
	side := func(header ...string) string {
		resp, err := p.send(t.Context(), "GET", "/", nil, header...)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || strings.Contains(string(text), "v1") == strings.Contains(string(text), "v2") {
			t.Fatalf("%q, %v", text, err)
		}
		if strings.Contains(string(text), "v2") {
			return "v2"
		}
		return "v1"
	}
	canaries := 0
	for i := range 100 {
		cookie := fmt.Sprintf("Cookie: sid=%d", i)
		first := side(cookie)
		if second := side(cookie); second != first {
			t.Errorf("%s: %s, then %s", cookie, first, second)
		}
		if first == "v2" {
			canaries++
		}
	}
	if canaries < 10 || canaries > 50 {
		t.Errorf("%d of 100 clients have the canary", canaries)
	}
	for value, want := range map[string]string{"always": "v2", "never": "v1"} {
		var all []string
		for i := range 5 {
			all = append(all, side("X-Canary: "+value, fmt.Sprintf("Cookie: sid=%d", i)))
		}
		if diff := cmp.Diff(strings.Repeat(want, 5), strings.Join(all, "")); diff != "" {
			t.Errorf("who asks for %s (-want +got):\n%s", value, diff)
		}
	}
}

// Whether the program is ready is for a route's own backends to say.
func TestReadinessIsNotTheCanarys(t *testing.T) {
	t.Parallel()
	p := start(t, "ROUTES=shop", "ROUTE_SHOP_MATCH=/*", "ROUTE_SHOP_BACKENDS=http://"+refusing(t), "ROUTE_SHOP_CANARY_BACKENDS=echo:v2", "ROUTE_SHOP_CANARY=100%", "ROUTE_SHOP_MIRROR_BACKENDS=echo:shadow", "ROUTE_SHOP_MIRROR=100%")
	if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the canary has answered %d", resp.StatusCode)
	}
	for !slices.Contains(p.states(t), balancer.Down) {
	}
	if resp, text := p.ask(t, "GET", "/.spangate/ready", nil); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready: %d %s", resp.StatusCode, text)
	}
}
