package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"spangate/balancer"
	"spangate/handler/field"
	"spangate/handler/wire/wiretest"
)

// h2cServer returns the address of a server of HTTP/2 in the clear.
func h2cServer(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// callRaw makes a call that no library of gRPC has a say in, and returns the answer.
func (p *program) callRaw(t *testing.T, header ...string) *http.Response {
	t.Helper()
	header = append([]string{"Content-Type: application/grpc", "Te: trailers"}, header...)
	resp, err := wiretest.Client(t, true).Do(p.newRequest(t.Context(), "POST", "/grpc.testing.TestService/UnaryCall", strings.NewReader("\x00\x00\x00\x00\x00"), header...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// TestGRPCDeadlines checks that the time which a client waits is the request's, and
// that the backend is told what is left of it.
func TestGRPCDeadlines(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ string
		send    string
		asked   bool          // the backend
		told    time.Duration // at most; 0: nothing
	}{
		"of the client":                  {"", "Grpc-Timeout: 1000m", true, time.Second},
		"of the client, the shorter one": {"REQUEST_TIMEOUT=1h", "Grpc-Timeout: 1000m", true, time.Second},
		"of the proxy, the shorter one":  {"REQUEST_TIMEOUT=1s", "Grpc-Timeout: 1H", true, time.Second},
		"of the proxy, the only one":     {"REQUEST_TIMEOUT=1s", "X-Other: 1", true, 0},
		"of a client of Connect":         {"", "Connect-Timeout-Ms: 1000", true, time.Second},
		"that has passed already":        {"", "Grpc-Timeout: 0n", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := make(chan http.Header, 1)
			addr := h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
				told <- r.Header
				<-r.Context().Done()
			})
			p := start(t, "BACKENDS=h2c://"+addr, test.environ)
			resp := p.callRaw(t, test.send)
			if got := resp.Header.Get("Grpc-Status"); resp.StatusCode != 200 || got != "4" {
				t.Errorf("%s, grpc-status %q, want 4", resp.Status, got)
			}
			if test.asked {
				if got, says := field.Timeout(<-told); says != (test.told > 0) || got > test.told || says && got <= 0 {
					t.Errorf("the backend is told %v, %v; want at most %v", got, says, test.told)
				}
			} else if len(told) > 0 {
				t.Error("the backend is asked")
			}
			p.stop()
			if s := p.span(t, "SERVER"); s.Attributes["error.type"] != "timeout" || s.Attributes["spangate.grpc.status"] != "DEADLINE_EXCEEDED" {
				t.Errorf("span: %v", s.Attributes)
			}
		})
	}
}

// TestGRPCDeadlineInTheQueue checks that the time of a call may also be over before its
// turn has come.
func TestGRPCDeadlineInTheQueue(t *testing.T) {
	t.Parallel()
	taken := make(chan struct{}, 1)
	p := start(t, "MAX_CONCURRENT_REQUESTS=1", "MAX_QUEUE=1", "MAX_QUEUE_WAIT=1h", "PROBE_MODE=off", "BACKENDS=h2c://"+h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		taken <- struct{}{}
		<-r.Context().Done()
	}))
	c := newHTTP2Client(t, p.addr)
	call := append(request("POST", "/a.B/C"), "te", "trailers", "content-type", "application/grpc")
	c.open(true, call...)
	<-taken
	got := c.answer(c.open(true, append(call, "grpc-timeout", "100m")...))
	if got.header["grpc-status"] != "4" || got.header["retry-after"] != "" {
		t.Errorf("%s: %v", got, got.header)
	}
}

// TestGRPCDeadlineOfEachAttempt checks that a later attempt is told what the first
// has left.
func TestGRPCDeadlineOfEachAttempt(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []time.Duration
	answer := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		d, _ := field.Timeout(r.Header)
		told = append(told, d)
		first := len(told) == 1
		mu.Unlock()
		if first {
			time.Sleep(200 * time.Millisecond) // of what the client has left
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "0")
	}
	p := start(t, "BACKENDS=h2c://"+h2cServer(t, answer)+",h2c://"+h2cServer(t, answer))
	resp := p.callRaw(t, "Grpc-Timeout: 1H", "Idempotency-Key: 1")
	if got := resp.Header.Get("Grpc-Status"); got != "0" {
		t.Fatalf("grpc-status %q", got)
	}
	if len(told) != 2 || told[0] > time.Hour || told[1] > told[0]-100*time.Millisecond || told[1] <= 0 {
		t.Errorf("told: %v", told)
	}
}

// TestMalformedDeadlines checks that what is no time passes as it came, for the
// server to say what it makes of it.
func TestMalformedDeadlines(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=h2c://"+h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Told", strings.Join(r.Header["Grpc-Timeout"], "|"))
		w.Header().Set("Grpc-Status", "0")
	}))
	for _, value := range []string{"1", "S", "123456789S", "1s", "-1S", "1.5S", "1S1S"} {
		resp := p.callRaw(t, "Grpc-Timeout: "+value)
		if got := resp.Header.Get("Told"); resp.Header.Get("Grpc-Status") != "0" || got != value {
			t.Errorf("%q: told %q, %v", value, got, resp.Header)
		}
	}
}

// TestDeadlinesOfClientsEjectNobody checks that clients who do not wait cannot take
// a backend from others.
func TestDeadlinesOfClientsEjectNobody(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=h2c://"+h2cServer(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), "OUTLIER_FAILURES=1", "OUTLIER_MAX_PERCENT=100", "PROBE_TYPE=tcp")
	for range 20 {
		if resp := p.callRaw(t, "Grpc-Timeout: 1m"); resp.Header.Get("Grpc-Status") != "4" {
			t.Fatalf("%v", resp.Header)
		}
	}
	if diff := cmp.Diff([]balancer.State{balancer.Ready}, p.states(t)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

// TestGRPCDeadlineOfAStream checks that a stream of gRPC ends in gRPC's words when its
// time is over, however far it has come, and whether its client has more to say; others
// are reset, as is one that may not end there or that its client does not take.
func TestGRPCDeadlineOfAStream(t *testing.T) {
	t.Parallel()
	backend := "h2c://" + h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = r.Header["Content-Type"]
		if length := r.Header.Get("Length"); length != "" {
			w.Header().Set("Content-Length", length)
		}
		if part := r.Header.Get("Part"); part != "none" {
			io.WriteString(w, part)
			http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	})
	const inTime, reset = "grpc-status 4, NO_ERROR or none", "INTERNAL_ERROR"
	for name, test := range map[string]struct {
		kind, part string
		ends       bool
		want       string
		length     string // that the header says
		window     uint32 // 0: as it is by default
	}{
		"before the header":                   {kind: "application/grpc", part: "none", ends: true, want: inTime},
		"before the header, upload open":      {kind: "application/grpc", part: "none", ends: false, want: inTime},
		"behind the header":                   {kind: "application/grpc", part: "", ends: true, want: inTime},
		"behind the header, upload open":      {kind: "application/grpc", part: "", ends: false, want: inTime},
		"behind a message":                    {kind: "application/grpc+proto", part: "01234", ends: true, want: inTime},
		"amid a message, upload open":         {kind: "application/grpc", part: "0123", ends: false, want: inTime},
		"before the header of gRPC-Web":       {kind: "application/grpc-web", part: "none", ends: true, want: inTime},
		"behind the header of gRPC-Web":       {kind: "application/grpc-web", part: "", ends: true, want: reset},
		"behind the header of something else": {kind: "text/plain", part: "", ends: true, want: reset},

		"behind less than its length": {kind: "application/grpc", part: "0123456", ends: true, want: reset, length: "20"},
		"behind all of its length":    {kind: "application/grpc", part: "0123456", ends: true, want: inTime, length: "7"},
		"not taken":                   {kind: "application/grpc", part: "0123456", ends: true, want: reset, window: 3},
		"taken to the last byte":      {kind: "application/grpc", part: "0123456", ends: true, want: inTime, window: 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "REQUEST_TIMEOUT=500ms", "CLIENT_TIMEOUT=1s", "PROBE_MODE=off", "BACKENDS="+backend)
			c := newHTTP2Client(t, p.addr)
			fields := append(request("POST", "/a.B/C"), "te", "trailers", "content-type", test.kind, "part", test.part)
			if test.length != "" {
				fields = append(fields, "length", test.length)
			}
			if test.window > 0 {
				c.try(c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: test.window}))
				test.part = test.part[:test.window]
			}
			stream := c.open(test.ends, fields...)
			got := c.answer(stream)
			for got.reset == "" && !test.ends {
				c.read() // that nobody waits for the rest
			}
			is := got.reset
			if got.header["grpc-status"] == "4" && (is == "" || is == "NO_ERROR") {
				is = inTime
			}
			if is != test.want || test.part != "none" && got.body.String() != test.part {
				t.Errorf("%s: %v, reset %q; want %s", got, got.header, got.reset, test.want)
			}
			p.stop()
			s := p.span(t, "SERVER")
			if status := s.Attributes["spangate.grpc.status"]; s.Attributes["error.type"] != "timeout" || (status == "DEADLINE_EXCEEDED") != (test.want == inTime) {
				t.Errorf("span: %v", s.Attributes)
			}
		})
	}
}
