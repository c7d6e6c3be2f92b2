package balancer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/probe"
)

// scripted is a backend whose attempts end as its script says, the last line
// for ever.
type scripted struct {
	script []string
	bodies []string // that it received
}

// The words of a script beside status codes.
const (
	refuses     = "refuses"
	resets      = "resets"           // before a header
	readsResets = "reads and resets" // all of the body
	hangs       = "hangs"
	lacks       = "lacks descriptors" // to connect
	unreachable = "unreachable"       // after two seconds
)

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	line := s.script[0]
	if len(s.script) > 1 {
		s.script = s.script[1:]
	}
	if line == refuses {
		r.Body.Close()
		return nil, &fault.Error{Type: fault.ConnectionRefused}
	}
	if line == lacks {
		r.Body.Close()
		return nil, &fault.Error{Type: fault.Overloaded}
	}
	if line == unreachable {
		r.Body.Close()
		time.Sleep(2 * time.Second)
		return nil, &fault.Error{Type: fault.ConnectTimeout}
	}
	if line == resets {
		r.Body.Read(make([]byte, 3))
		r.Body.Close()
		return nil, &fault.Error{Type: fault.ConnectionReset, Sent: true}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.bodies = append(s.bodies, string(body))
	status, header := 0, http.Header{}
	switch {
	case line == readsResets:
		return nil, &fault.Error{Type: fault.ConnectionReset, Sent: true}
	case line == hangs:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case strings.Contains(line, "after"):
		var seconds string
		fmt.Sscanf(line, "%d after %s", &status, &seconds)
		header.Set("Retry-After", seconds)
	default:
		fmt.Sscan(line, &status)
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestRetry(t *testing.T) {
	const auto = time.Duration(balancer.TryAuto)
	tests := map[string]struct {
		scripts  [][]string // of backends a, b, c
		method   string
		body     string
		header   string
		deadline time.Duration
		attempts int // 2 unless given
		timeout  time.Duration
		response time.Duration
		share    config.Percent // 0.2 unless given
		spend    int            // retries made before

		want       string // status or error type
		wantTried  string // as a regular expression
		wantStop   balancer.StopReason
		wantWaited time.Duration // at least; 0: none at all
	}{
		"the first answers":              {scripts: [][]string{{"200"}, {"200"}}, want: "200", wantTried: "a", wantStop: "success"},
		"404 is an answer":               {scripts: [][]string{{"404"}, {"200"}}, want: "404", wantTried: "a", wantStop: "success"},
		"refused: another one at once":   {scripts: [][]string{{refuses}, {"200"}}, want: "200", wantTried: "ab", wantStop: "success"},
		"refused twice":                  {scripts: [][]string{{refuses}, {refuses}, {"200"}}, want: "200", wantTried: "ab?c", wantStop: "success"},
		"reset":                          {scripts: [][]string{{resets}, {"200"}}, want: "200", wantTried: "ab", wantStop: "success"},
		"503":                            {scripts: [][]string{{"503"}, {"200"}}, want: "200", wantTried: "ab", wantStop: "success"},
		"500 is not listed":              {scripts: [][]string{{"500"}, {"200"}}, want: "500", wantTried: "a", wantStop: "success"},
		"all answer 503: the last one's": {scripts: [][]string{{"503"}, {"502"}, {"504"}}, want: "", wantTried: "a..", wantStop: "max_attempts"},
		"all refuse":                     {scripts: [][]string{{refuses}, {refuses}}, want: "connection_refused", wantTried: "ab.", wantStop: "max_attempts", wantWaited: 50 * time.Millisecond},
		"alone: asked again after waits": {scripts: [][]string{{refuses, refuses, "200"}}, want: "200", wantTried: "aaa", wantStop: "success", wantWaited: 150 * time.Millisecond},
		"off":                            {scripts: [][]string{{refuses}, {"200"}}, attempts: -1, want: "connection_refused", wantTried: "a", wantStop: "max_attempts"},
		"POST, refused":                  {scripts: [][]string{{refuses}, {"200"}}, method: "POST", body: "sum", want: "200", wantTried: "ab", wantStop: "success"},
		"POST, reset":                    {scripts: [][]string{{resets}, {"200"}}, method: "POST", body: "sum", want: "connection_reset", wantTried: "a", wantStop: "not_idempotent"},
		"POST, 503":                      {scripts: [][]string{{"503"}, {"200"}}, method: "POST", body: "sum", want: "503", wantTried: "a", wantStop: "not_idempotent"},
		"POST with a key, reset":         {scripts: [][]string{{readsResets}, {"200"}}, method: "POST", header: "Idempotency-Key", body: "sum", want: "200", wantTried: "ab", wantStop: "success"},
		"PUT, reset amid the body":       {scripts: [][]string{{resets}, {"200"}}, method: "PUT", body: "some body", want: "200", wantTried: "ab", wantStop: "success"},
		"PUT, more than is kept":         {scripts: [][]string{{readsResets}, {"200"}}, method: "PUT", body: strings.Repeat("x", 11), want: "connection_reset", wantTried: "a", wantStop: "body_not_replayable"},
		"a wait beyond the deadline":     {scripts: [][]string{{refuses}}, deadline: 10 * time.Millisecond, want: "connection_refused", wantTried: "a", wantStop: "deadline"},
		"an attempt beyond the deadline": {scripts: [][]string{{hangs}, {"200"}}, deadline: time.Second, want: "timeout", wantTried: "a", wantStop: "deadline", wantWaited: time.Second},
		"an attempt that takes too long": {scripts: [][]string{{hangs}, {"200"}}, timeout: time.Second, want: "200", wantTried: "ab", wantStop: "success", wantWaited: time.Second},
		"Retry-After, another one":       {scripts: [][]string{{"503 after 60"}, {"200"}}, want: "200", wantTried: "ab", wantStop: "success"},
		"Retry-After, alone":             {scripts: [][]string{{"503 after 1", "200"}}, want: "200", wantTried: "aa", wantStop: "success", wantWaited: time.Second},
		"Retry-After, alone, too long":   {scripts: [][]string{{"503 after 60", "200"}}, want: "503", wantTried: "a", wantStop: "no_other_backend"},

		"hangs: another one":                           {scripts: [][]string{{hangs}, {"200"}}, timeout: auto, response: 30 * time.Second, want: "200", wantTried: "ab", wantStop: "success", wantWaited: 10 * time.Second},
		"POST, hangs":                                  {scripts: [][]string{{hangs}, {"200"}}, method: "POST", timeout: auto, response: 30 * time.Second, deadline: time.Minute, want: "timeout", wantTried: "a", wantStop: "deadline", wantWaited: time.Minute},
		"POST with a key, hangs":                       {scripts: [][]string{{hangs}, {"200"}}, method: "POST", header: "Idempotency-Key", timeout: auto, response: 30 * time.Second, want: "200", wantTried: "ab", wantStop: "success", wantWaited: 10 * time.Second},
		"hangs, alone: not cut short":                  {scripts: [][]string{{hangs}}, timeout: auto, response: 30 * time.Second, deadline: time.Minute, want: "timeout", wantTried: "a", wantStop: "deadline", wantWaited: time.Minute},
		"hangs, retries off: not cut short":            {scripts: [][]string{{hangs}, {"200"}}, attempts: -1, timeout: auto, response: 30 * time.Second, deadline: time.Minute, want: "timeout", wantTried: "a", wantStop: "deadline", wantWaited: time.Minute},
		"both hang: the second waits for what is left": {scripts: [][]string{{hangs}, {hangs}}, timeout: auto, response: 30 * time.Second, want: "response_timeout", wantTried: "ab", wantStop: "no_other_backend", wantWaited: 30 * time.Second},
		"all hang: a third each":                       {scripts: [][]string{{hangs}, {hangs}, {hangs}}, timeout: auto, response: 30 * time.Second, want: "response_timeout", wantTried: "a..", wantStop: "max_attempts", wantWaited: 30 * time.Second},
		"PUT, more than is kept, hangs: not cut short": {scripts: [][]string{{hangs}, {"200"}}, method: "PUT", body: strings.Repeat("x", 11), timeout: auto, response: 30 * time.Second, deadline: time.Minute, want: "timeout", wantTried: "a", wantStop: "deadline", wantWaited: time.Minute},
		"PUT, kept, hangs":                             {scripts: [][]string{{hangs}, {"200"}}, method: "PUT", body: "sum", timeout: auto, response: 30 * time.Second, want: "200", wantTried: "ab", wantStop: "success", wantWaited: 10 * time.Second},
		"hangs, no budget: not cut short":              {scripts: [][]string{{hangs}, {"200"}}, spend: 100, timeout: auto, response: 30 * time.Second, deadline: time.Minute, want: "timeout", wantTried: "a", wantStop: "deadline", wantWaited: time.Minute},
		"hangs, alone, with a limit":                   {scripts: [][]string{{hangs}}, timeout: time.Second, response: 30 * time.Second, want: "response_timeout", wantTried: "a", wantStop: "no_other_backend", wantWaited: time.Second},
		"one hangs, the other refuses":                 {scripts: [][]string{{hangs}, {refuses}}, timeout: auto, response: 30 * time.Second, want: "connection_refused", wantTried: "ab.", wantStop: "max_attempts", wantWaited: 10 * time.Second},
		"hangs for all the time that there is":         {scripts: [][]string{{hangs}, {"200"}}, timeout: 30 * time.Second, response: 30 * time.Second, want: "response_timeout", wantTried: "a", wantStop: "deadline", wantWaited: 30 * time.Second},
		"unreachable: another one":                     {scripts: [][]string{{unreachable}, {"200"}}, want: "200", wantTried: "ab", wantStop: "success", wantWaited: 2 * time.Second},
		"unreachable, alone":                           {scripts: [][]string{{unreachable}}, want: "connect_timeout", wantTried: "a", wantStop: "no_other_backend", wantWaited: 2 * time.Second},
		"no descriptor: another one at once":           {scripts: [][]string{{lacks}, {"200"}}, want: "200", wantTried: "ab", wantStop: "success"},
		"no descriptor, POST":                          {scripts: [][]string{{lacks}, {"200"}}, method: "POST", body: "sum", want: "200", wantTried: "ab", wantStop: "success"},
		"no descriptor for any":                        {scripts: [][]string{{lacks}, {lacks}}, want: "overloaded", wantTried: "ab", wantStop: "no_other_backend"},
		"no descriptor, alone":                         {scripts: [][]string{{lacks, "200"}}, want: "overloaded", wantTried: "a", wantStop: "no_other_backend"},
		"the budget is spent":                          {scripts: [][]string{{refuses}, {"200"}}, spend: 100, want: "connection_refused", wantTried: "a", wantStop: "budget_exhausted"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tried strings.Builder
				backends := named(nil, []string{"a", "b", "c"}[:len(test.scripts)]...)
				servers := map[string]*scripted{}
				for i, b := range backends {
					server := &scripted{script: test.scripts[i]}
					servers[b.Name] = server
					b.Use(roundTripper(func(r *http.Request) (*http.Response, error) {
						tried.WriteString(b.Name)
						if r.Host != "example.com" || r.URL.String() != "http://"+b.Name+"/path" {
							t.Errorf("%s was sent Host %s, %s", b.Name, r.Host, r.URL)
						}
						return server.RoundTrip(r)
					}))
				}
				var stops []balancer.StopReason
				hooks := balancer.Hooks{RetryStopped: func(_ context.Context, reason balancer.StopReason) { stops = append(stops, reason) }}
				cfg := retrying(t, "connect,502,503,504", balancer.RetryConfig{
					Attempts: 2, Backoff: 100 * time.Millisecond, MaxBackoff: 2 * time.Second, Budget: 0.2, BodyLimit: 10, TryTimeout: balancer.TryTimeout(test.timeout),
				})
				cfg.ResponseTimeout = test.response
				if test.attempts != 0 {
					cfg.Retry.Attempts = max(test.attempts, 0)
				}
				rt := balancer.RetryOf(balancer.NewPoolOf(cfg, hooks, balancer.NewRoundRobin(), backends...))
				if test.spend > 0 {
					spend(t, rt, test.spend)
				}
				ctx := t.Context()
				if test.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				r := httptest.NewRequestWithContext(ctx, "GET", "/path", strings.NewReader(test.body))
				if test.method != "" {
					r.Method = test.method
				}
				if test.header != "" {
					r.Header.Set(test.header, "1")
				}
				r.Body = survivor{r.Body}
				start := time.Now()
				resp, err := rt.RoundTrip(r)
				got := ""
				if err != nil {
					got = string(fault.Of(ctx, err).Type)
				} else {
					got = fmt.Sprint(resp.StatusCode)
					resp.Body.Close()
				}
				if test.want != "" && got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
				if waited := time.Since(start); waited < test.wantWaited || test.wantWaited == 0 && waited > 0 {
					t.Errorf("waited %v, want at least %v", waited, test.wantWaited)
				}
				if !regexp.MustCompile("^" + test.wantTried + "$").MatchString(tried.String()) {
					t.Errorf("tried %s, want %s", tried.String(), test.wantTried)
				}
				if diff := cmp.Diff([]balancer.StopReason{test.wantStop}, stops); diff != "" {
					t.Errorf("stop reasons (-want +got):\n%s", diff)
				}
				for name, server := range servers {
					for _, body := range server.bodies {
						if body != test.body {
							t.Errorf("%s received the body %q, want %q", name, body, test.body)
						}
					}
				}
				for _, b := range backends {
					if b.Active() != 0 {
						t.Errorf("%s has %d requests in flight", b.Name, b.Active())
					}
				}
			})
		})
	}
}

// survivor is a body that outlives Close.
type survivor struct{ io.Reader }

func (survivor) Close() error { return nil }

// spend makes n retries on the budget of rt.
func spend(t *testing.T, rt *balancer.Retrier, n int) {
	t.Helper()
	before := rt.BudgetLeft()
	for range n {
		balancer.Spend(rt)
	}
	if left := rt.BudgetLeft(); left > before-float64(n)+1 {
		t.Fatalf("budget went from %g to %g by %d retries", before, left, n)
	}
}

func TestBudget(t *testing.T) {
	backends := named(nil, "a", "b")
	for _, b := range backends {
		b.Use(answering(http.StatusServiceUnavailable))
	}
	attempts := 0
	for _, b := range backends {
		next := b.Transport()
		b.Use(roundTripper(func(r *http.Request) (*http.Response, error) { attempts++; return next.RoundTrip(r) }))
	}
	cfg := retrying(t, "503", balancer.RetryConfig{Attempts: 2, Budget: 0.2})
	rt := balancer.RetryOf(balancer.NewPoolOf(cfg, balancer.Hooks{}, balancer.NewRandom(), backends...))
	const requests = 20_000
	for range requests {
		resp, err := rt.RoundTrip(get())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if most := requests * 125 / 100; attempts > most || attempts < requests*119/100 {
		t.Errorf("%d attempts at %d requests that all fail, want a share of retries of 20 %%", attempts, requests)
	}
}

// A backend that fails requests is asked first in its turn, and no oftener:
// retries take nobody's.
func TestRetriesTakeNoTurns(t *testing.T) {
	for name, budget := range map[string]config.Percent{"made": 1, "refused by the budget": 0} {
		t.Run(name, func(t *testing.T) {
			asked := map[string]int{}
			bad, good := named(nil, "bad")[0], named(nil, "good")[0]
			attempt := 0 // of the request
			for _, b := range []*balancer.Backend{bad, good} {
				b.Use(roundTripper(func(r *http.Request) (*http.Response, error) {
					if attempt++; attempt == 1 {
						asked[b.Name]++
					}
					status := http.StatusOK
					if b == bad && asked[b.Name]%5 > 0 {
						status = http.StatusServiceUnavailable
					}
					return answering(status).RoundTrip(r)
				}))
			}
			cfg := retrying(t, "503", balancer.RetryConfig{Attempts: 2, Budget: budget})
			rt := balancer.RetryOf(balancer.NewPoolOf(cfg, balancer.Hooks{}, balancer.NewRoundRobin(), bad, good))
			for range 100 {
				attempt = 0
				resp, err := rt.RoundTrip(get())
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
			if diff := cmp.Diff(map[string]int{"bad": 50, "good": 50}, asked); diff != "" {
				t.Errorf("asked first (-want +got):\n%s", diff)
			}
		})
	}
}

// The budget holds retries ready for each request once, at whichever attempt it
// is.
func TestBudgetCountsARequestOnce(t *testing.T) {
	backends := named(nil, "a", "b")
	var rt *balancer.Retrier
	var got []int64
	for _, b := range backends {
		b.Use(roundTripper(func(*http.Request) (*http.Response, error) {
			got = append(got, balancer.InFlight(rt))
			return nil, &fault.Error{Type: fault.ConnectionRefused}
		}))
	}
	hooks := balancer.Hooks{RetryWait: func(balancer.Wait) balancer.Wait {
		return func(context.Context, balancer.RetryDecision) error {
			got = append(got, balancer.InFlight(rt))
			return nil
		}
	}}
	cfg := retrying(t, "connect", balancer.RetryConfig{Attempts: 2, Budget: 1})
	rt = balancer.RetryOf(balancer.NewPoolOf(cfg, hooks, balancer.NewRandom(), backends...))
	if _, err := rt.RoundTrip(get()); err == nil {
		t.Error("no error though all refuse")
	}
	got = append(got, balancer.InFlight(rt))
	if diff := cmp.Diff([]int64{2, 2, 2, 2, 2, 0}, got); diff != "" {
		t.Errorf("at each attempt and wait, and after them (-want +got):\n%s", diff)
	}
}

// A failed response that goes on for long does not hold up the next attempt.
func TestRetryDoesNotWaitForAFailedResponse(t *testing.T) {
	for name, header := range map[string]string{
		"known length":   "Content-Length: 100\r\n\r\n0123456789",
		"unknown length": "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				io.WriteString(conn, "HTTP/1.1 503 X\r\n"+header)
				conn.Read(make([]byte, 1)) // until it is closed
			}))
			defer failing.Close()
			backends := append(serving(t, balancer.Config{}, failing.URL), named(nil, "fit")...)
			cfg := retrying(t, "503", balancer.RetryConfig{Attempts: 1, Budget: 1})
			resp, err := balancer.RetryOf(balancer.NewPoolOf(cfg, balancer.Hooks{}, balancer.NewRoundRobin(), backends...)).RoundTrip(get())
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status %d, want that of the fit one", resp.StatusCode)
			}
		})
	}
}

// The connection of a failed response that was short serves again.
func TestRetryKeepsConnections(t *testing.T) {
	var connections atomic.Int64
	failing := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not now", http.StatusServiceUnavailable)
	}))
	failing.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	failing.Start()
	defer failing.Close()
	cfg := retrying(t, "503", balancer.RetryConfig{Attempts: 5, Budget: 1})
	backends := serving(t, balancer.Config{}, failing.URL)
	resp, err := balancer.RetryOf(balancer.NewPoolOf(cfg, balancer.Hooks{}, balancer.NewRoundRobin(), backends...)).RoundTrip(get())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for attempts one after the other", n)
	}
}

// serving returns backends at urls. The timeouts that cfg does not set are long.
func serving(t *testing.T, cfg balancer.Config, urls ...string) []*balancer.Backend {
	t.Helper()
	cfg.ConnectTimeout = time.Minute
	if err := cfg.Backends.UnmarshalText([]byte(strings.Join(urls, ","))); err != nil {
		t.Fatal(err)
	}
	pool, err := balancer.New(cfg, probe.Config{}, balancer.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	return pool.Members()
}

// retrying returns a configuration that tries again after the failures of on.
func retrying(t *testing.T, on string, retry balancer.RetryConfig) balancer.Config {
	t.Helper()
	if err := retry.On.UnmarshalText([]byte(on)); err != nil {
		t.Fatal(err)
	}
	return balancer.Config{Retry: retry}
}

// TestAttemptsOwnTheirRequests has an attempt change its request, which the next one
// gets as it was: also the trailer, which is filled only later.
func TestAttemptsOwnTheirRequests(t *testing.T) {
	a, b := named(nil, "a")[0], named(nil, "b")[0]
	a.Use(roundTripper(func(r *http.Request) (*http.Response, error) {
		r.Host, r.URL.Path, r.Trailer = "other.test", "/other", http.Header{"X-Sum": nil}
		r.Header.Set("X-Other", "1")
		return nil, &fault.Error{Type: fault.ConnectionRefused}
	}))
	trailer := http.Header{"X-Sum": {""}}
	b.Use(roundTripper(func(r *http.Request) (*http.Response, error) {
		trailer["X-Sum"][0] = "1"
		got := []string{r.Host, r.URL.Path, r.Trailer.Get("X-Sum")}
		if diff := cmp.Diff([]string{"example.com", "/path", "1"}, got); diff != "" {
			t.Errorf("the second attempt's host, path and trailer (-want +got):\n%s", diff)
		}
		return answering(http.StatusOK).RoundTrip(r)
	}))
	cfg := retrying(t, "connect", balancer.RetryConfig{Attempts: 1, Budget: 1})
	rt := balancer.RetryOf(balancer.NewPoolOf(cfg, balancer.Hooks{}, balancer.NewRoundRobin(), a, b))
	r := httptest.NewRequest("POST", "/path", nil)
	r.Trailer = trailer
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// A view that was given up may still be reading when the next one starts: no
// byte may go missing between them.
func TestReplayLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, source := io.Pipe()
		reading, givenUp := make(chan struct{}), make(chan struct{})
		a, b := named(nil, "a")[0], named(nil, "b")[0]
		var wg sync.WaitGroup
		a.Use(roundTripper(func(r *http.Request) (*http.Response, error) {
			wg.Go(func() { // as net/http's write loop, which outlasts RoundTrip
				close(reading)
				io.Copy(io.Discard, r.Body)
			})
			<-reading
			synctest.Wait()
			r.Body.Close()
			close(givenUp)
			return nil, &fault.Error{Type: fault.ConnectionReset, Sent: true}
		}))
		b.Use(roundTripper(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if string(body) != "all of it" || err != nil {
				t.Errorf("the second attempt read %q, %v", body, err)
			}
			return answering(http.StatusOK).RoundTrip(r)
		}))
		cfg := retrying(t, "reset", balancer.RetryConfig{Attempts: 1, Budget: 1, BodyLimit: 100})
		rt := balancer.RetryOf(balancer.NewPoolOf(cfg, balancer.Hooks{}, balancer.NewRoundRobin(), a, b))
		r := httptest.NewRequest("PUT", "/path", client)
		r.Body = survivor{client}
		go func() {
			<-givenUp
			for _, part := range []string{"all ", "of ", "it"} {
				io.WriteString(source, part)
			}
			source.Close()
		}()
		resp, err := rt.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		wg.Wait()
	})
}

func TestRetryAfterTheClientLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := named(nil, "a")[0]
	attempts := 0
	a.Use(roundTripper(func(*http.Request) (*http.Response, error) {
		attempts++
		cancel()
		return nil, &fault.Error{Type: fault.ConnectionRefused}
	}))
	var stop balancer.StopReason
	cfg := retrying(t, "connect", balancer.RetryConfig{Attempts: 2, Budget: 1})
	hooks := balancer.Hooks{RetryStopped: func(_ context.Context, reason balancer.StopReason) { stop = reason }}
	_, err := balancer.RetryOf(balancer.NewPoolOf(cfg, hooks, balancer.NewRandom(), a)).RoundTrip(get().WithContext(ctx))
	if e, ok := errors.AsType[*fault.Error](err); !ok || attempts != 1 || stop != balancer.StopClientDisconnected {
		t.Errorf("%v after %d attempts, stopped for %q", e, attempts, stop)
	}
}

func ExampleConditions() {
	var on balancer.Conditions
	fmt.Println(on.UnmarshalText([]byte("connect,503")))
	fmt.Println(on.Failed(nil, &fault.Error{Type: fault.ConnectionRefused}), on.Failed(&http.Response{StatusCode: 500}, nil))
	fmt.Println(on.UnmarshalText([]byte("5xx")))
	// Output:
	// <nil>
	// true false
	// "5xx" must be connect, reset, timeout, a status code or grpc:NAME
}

func FuzzConditions(f *testing.F) {
	f.Add("connect,502,503,504")
	f.Add("reset, timeout,429")
	f.Add("grpc:unavailable, grpc:deadline_exceeded,grpc:")
	f.Fuzz(func(t *testing.T, text string) {
		var c, again balancer.Conditions
		if c.UnmarshalText([]byte(text)) != nil {
			return
		}
		written, _ := c.MarshalText()
		if err := again.UnmarshalText(written); err != nil {
			t.Errorf("%q is read, but what it is written as, %q, is not: %v", text, written, err)
		}
	})
}
