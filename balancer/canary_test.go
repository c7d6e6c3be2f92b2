package balancer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/fault"
)

// sides are the stable backend and the canary of a test, which count what they get.
type sides struct {
	stable, canary               *balancer.Backend
	stablePool, canaryPool       *balancer.Pool
	*balancer.Canary             // between them
	toStable, toCanary           atomic.Int64
	stableAnswers, canaryAnswers func(*http.Request) (*http.Response, error)
	changes                      []string
	mu                           sync.Mutex
	chosen                       []bool
	failed                       int
}

func ok(r *http.Request) (*http.Response, error) { return answering(200).RoundTrip(r) }

func failing(r *http.Request) (*http.Response, error) { return answering(500).RoundTrip(r) }

// newSides returns the sides of a canary with these variables.
func newSides(t testing.TB, cfg balancer.Config, variables ...string) *sides {
	t.Helper()
	s := &sides{stableAnswers: ok, canaryAnswers: ok}
	s.stable = balancer.NewBackend("stable", 1, roundTripper(func(r *http.Request) (*http.Response, error) {
		s.toStable.Add(1)
		return s.stableAnswers(r)
	}))
	s.canary = balancer.NewBackend("canary", 1, roundTripper(func(r *http.Request) (*http.Response, error) {
		s.toCanary.Add(1)
		return s.canaryAnswers(r)
	}))
	canary := canaryConfig(t, append(variables, "CANARY_BACKENDS=http://canary")...)
	s.stablePool = balancer.NewPoolOf(cfg, balancer.Hooks{}, first, s.stable)
	s.canaryPool = balancer.NewPoolOf(canary.Pool(cfg), balancer.Hooks{}, first, s.canary)
	s.Canary = balancer.NewCanary(canary, balancer.RetryOf(s.stablePool), s.canaryPool, balancer.CanaryHooks{
		Chosen: func(_ context.Context, canary bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.chosen = append(s.chosen, canary)
		},
		Failed: func(context.Context) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.failed++
		},
		Changed: func(c balancer.CanaryChange) {
			s.changes = append(s.changes, fmt.Sprintf("%s to %s: %s, for %v; %d of %d failed, %d of %d", c.From, c.To, c.Reason, c.For, c.Canary.Failures, c.Canary.Attempts, c.Stable.Failures, c.Stable.Attempts))
		},
	})
	return s
}

func canaryConfig(t testing.TB, variables ...string) balancer.CanaryConfig {
	t.Helper()
	var cfg struct{ Canary balancer.CanaryConfig }
	if _, _, err := config.Load(&cfg, variables); err != nil {
		t.Fatal(err)
	}
	return cfg.Canary
}

// ask sends a request through the canary and returns the status of the answer, which is
// read.
func (s *sides) ask(r *http.Request) int {
	resp, err := s.RoundTrip(r)
	if err != nil {
		return fault.Of(r.Context(), err).Type.Status()
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.StatusCode
}

// withRetries is a configuration that tries again what failed with 500 too.
func withRetries(t testing.TB) balancer.Config {
	t.Helper()
	var cfg balancer.Config
	if _, _, err := config.Load(&cfg, []string{"BACKENDS=http://stable", "RETRY_ON=connect,500,503"}); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestCanaryShare(t *testing.T) {
	keyed := func(i int) *http.Request {
		r := get()
		r.Header.Set("Cookie", fmt.Sprintf("sid=%d", i))
		return r
	}
	for i, test := range []struct {
		name      string
		variables []string
		request   func(int) *http.Request
		want      float64
	}{
		{"by chance", []string{"CANARY=5%"}, func(int) *http.Request { return get() }, 0.05},
		{"a fraction of a percent", []string{"CANARY=0.5%"}, func(int) *http.Request { return get() }, 0.005},
		{"by a cookie", []string{"CANARY=5%", "CANARY_BY=cookie:sid"}, keyed, 0.05},
		{"by a cookie that nobody has", []string{"CANARY=20%", "CANARY_BY=cookie:other"}, keyed, 0.2},
		{"by a field", []string{"CANARY=50%", "CANARY_BY=header:X-User"}, func(i int) *http.Request {
			r := get()
			r.Header.Set("X-User", fmt.Sprintf("user-%d@example.com", i))
			return r
		}, 0.5},
		{"by the client's address", []string{"CANARY=10%", "CANARY_BY=client-ip"}, func(i int) *http.Request {
			r := get()
			r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:99", i>>16, i>>8&0xff, i&0xff)
			return r
		}, 0.1},
		{"all", []string{"CANARY=100%", "CANARY_BY=cookie:sid"}, keyed, 1},
		{"none but who asks", []string{"CANARY_HEADER=X-Canary"}, keyed, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSides(t, balancer.Config{}, test.variables...)
			requests := 100_000
			if i > 1 {
				requests = 10_000
			}
			for i := range requests {
				s.ask(test.request(i))
			}
			chance := 5 * math.Sqrt(test.want*(1-test.want)/float64(requests)) // less than 0.01 of any share
			if got := float64(s.toCanary.Load()) / float64(requests); math.Abs(got-test.want) > chance {
				t.Errorf("the canary got %v of the requests, want %v, give or take %v", got, test.want, chance)
			}
			if all := s.toCanary.Load() + s.toStable.Load(); all != int64(requests) {
				t.Errorf("%d requests were sent", all)
			}
		})
	}
}

// Whoever has the canary keeps it while its share grows, at all instances, and nobody
// has it who would not.
func TestCanaryIsSticky(t *testing.T) {
	var before map[int]bool
	for _, share := range []string{"0.5%", "5%", "10%", "60%", "100%"} {
		one, other := newSides(t, balancer.Config{}, "CANARY="+share, "CANARY_BY=cookie:sid"), newSides(t, balancer.Config{}, "CANARY="+share, "CANARY_BY=cookie:sid")
		now := map[int]bool{}
		for i := range 500 {
			for range 2 {
				for _, s := range []*sides{one, other} {
					r := get()
					r.Header.Set("Cookie", fmt.Sprintf("a=b; sid=%d", i))
					s.ask(r)
					if got := s.chosen[len(s.chosen)-1]; got {
						now[i] = true
					} else if now[i] {
						t.Fatalf("%s: %d goes to both sides", share, i)
					}
				}
			}
		}
		for i := range before {
			if !now[i] {
				t.Errorf("%s: %d has lost the canary", share, i)
			}
		}
		before = now
	}
}

func TestCanaryByClientIPIsNotByItsProxy(t *testing.T) {
	var origin handler.Origin
	if _, _, err := config.Load(&origin, []string{"TRUSTED_PROXIES=10.0.0.0/8"}); err != nil {
		t.Fatal(err)
	}
	s := newSides(t, balancer.Config{}, "CANARY=50%", "CANARY_BY=client-ip")
	identify := handler.Identify(origin)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { s.ask(r) }))
	for range 200 {
		r := get()
		r.RemoteAddr = "10.0.0.1:99"
		r.Header.Set("Forwarded", "for=unknown")
		identify.ServeHTTP(httptest.NewRecorder(), r)
	}
	if got := s.toCanary.Load(); got < 50 || got > 150 {
		t.Errorf("of clients that a proxy hides the canary got %d of 200", got)
	}
}

func TestCanaryHeader(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []string
		ready  bool
		want   bool
	}{
		{"always", []string{"always"}, true, true},
		{"in capitals", []string{"ALWAYS"}, true, true},
		{"never", []string{"never"}, true, false},
		{"something else", []string{"true"}, true, false},
		{"both", []string{"always", "never"}, true, false},
		{"nothing", nil, true, false},
		{"of one that is not ready", []string{"always"}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSides(t, balancer.Config{}, "CANARY_HEADER=x-canary", "CANARY=0%")
			if !test.ready {
				s.canaryPool.Probed(s.canary, errors.New("not fit"))
			}
			r := get()
			for _, value := range test.values {
				r.Header.Add("X-Canary", value)
			}
			if s.ask(r); s.chosen[0] != test.want {
				t.Errorf("the canary was chosen: %v, want %v", s.chosen[0], test.want)
			}
		})
	}
	t.Run("never, of a canary that has all", func(t *testing.T) {
		s := newSides(t, balancer.Config{}, "CANARY_HEADER=X-Canary", "CANARY=100%")
		r := get()
		r.Header.Set("X-Canary", "never")
		if s.ask(r); s.toCanary.Load() != 0 {
			t.Error("the canary got it")
		}
	})
}

// A canary of which nobody is fit loses its requests to the stable backends.
func TestCanaryThatIsNotFit(t *testing.T) {
	for name, spoil := range map[string]func(*sides){
		"down":    func(s *sides) { s.canaryPool.Probed(s.canary, errors.New("not fit")) },
		"ejected": func(s *sides) { s.canaryPool.Eject(s.canary, balancer.Ejection{For: time.Hour}) },
		"gone":    func(s *sides) { s.canaryPool.SetMembers(nil) },
		"has just refused a connection": func(s *sides) {
			s.canaryAnswers = func(*http.Request) (*http.Response, error) {
				return nil, &fault.Error{Type: fault.ConnectionRefused}
			}
			s.ask(get())
			s.toStable.Store(0)
			s.toCanary.Store(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := withRetries(t)
			cfg.Outlier.MaxEjected = 100
			s := newSides(t, cfg, "CANARY=100%")
			spoil(s)
			for range 10 {
				if got := s.ask(get()); got != 200 {
					t.Errorf("answered %d", got)
				}
			}
			if canary, stable := s.toCanary.Load(), s.toStable.Load(); canary != 0 || stable != 10 {
				t.Errorf("the canary got %d, the stable backend %d", canary, stable)
			}
		})
	}
}

// What failed at the canary is tried again at the stable backend, at once, and with all
// of its body.
func TestCanaryIsFollowedByStable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSides(t, withRetries(t), "CANARY=100%")
		s.canaryAnswers = func(r *http.Request) (*http.Response, error) {
			io.ReadAll(r.Body)
			return failing(r)
		}
		var got string
		s.stableAnswers = func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			got = string(body)
			if err != nil {
				return nil, err
			}
			return ok(r)
		}
		start := time.Now()
		status := s.ask(httptest.NewRequest("PUT", "/", strings.NewReader("all of it")))
		if status != 200 || got != "all of it" || time.Since(start) != 0 {
			t.Errorf("answered %d after %v, the stable backend got %q", status, time.Since(start), got)
		}
		if canary, stable := s.toCanary.Load(), s.toStable.Load(); canary != 1 || stable != 1 {
			t.Errorf("%d attempts at the canary, %d at the stable backend", canary, stable)
		}
		if status := s.ask(httptest.NewRequest("POST", "/", strings.NewReader("not to be repeated"))); status != 500 {
			t.Errorf("a POST that failed at the canary was answered %d", status)
		}
	})
}

// Both sides have one budget of retries.
func TestCanaryHasTheBudgetOfItsRoute(t *testing.T) {
	cfg := withRetries(t)
	cfg.Retry.Budget = 0
	s := newSides(t, cfg, "CANARY=100%")
	s.canaryAnswers = failing
	if status := s.ask(get()); status != 500 || s.toStable.Load() != 0 {
		t.Errorf("answered %d, without a budget", status)
	}
}

func TestCanaryFollowsSessions(t *testing.T) {
	cfg := balancer.Config{StickyCookie: "backend"}
	for name, test := range map[string]struct {
		share, before string
		want          bool
	}{
		"a session at the canary stays when its share is little": {"0.001%", "100%", true},
		"a session at the stable backend stays":                  {"100%", "0.001%", false},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := newSides(t, cfg, "CANARY="+test.before).RoundTrip(get())
			if err != nil {
				t.Fatal(err)
			}
			r := get()
			for _, cookie := range resp.Cookies() {
				r.AddCookie(cookie)
			}
			s := newSides(t, cfg, "CANARY="+test.share)
			if s.ask(r); s.chosen[0] != test.want || len(resp.Cookies()) != 1 {
				t.Errorf("the canary was chosen: %v, want %v; the session is %v", s.chosen[0], test.want, resp.Cookies())
			}
		})
	}
}

func TestAbortRule(t *testing.T) {
	for text, want := range map[string]string{
		"errors>5%/1m":    "errors>5%/1m0s",
		"errors>0.5%/30s": "errors>0.5%/30s",
		"errors>0%/1s":    "errors>0%/1s",
		"5%/1m":           "must be a share of failures and a time, such as errors>5%/1m",
		"errors>5%":       "must be a share of failures and a time, such as errors>5%/1m",
		"errors>5/1m":     "the share of failures must be a percentage from 0% to 100%",
		"errors>100%/1m":  "more than 100% never fail",
		"errors>5%/m":     "the time must be at least 1s, such as 30s or 1m",
		"errors>5%/10ms":  "the time must be at least 1s, such as 30s or 1m",
		"errors>5%/-1m":   "the time must be at least 1s, such as 30s or 1m",
	} {
		var a balancer.AbortRule
		got := ""
		if err := a.UnmarshalText([]byte(text)); err != nil {
			got = err.Error()
		} else if text, err := a.MarshalText(); err == nil {
			got = string(text)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestCanaryKeys(t *testing.T) {
	for text, want := range map[string]string{
		"client-ip":       "client-ip",
		"header:x-user":   "header:X-User",
		"cookie:sid":      "cookie:sid",
		"path":            "must be client-ip, header:NAME or cookie:NAME",
		"ip":              "must be client-ip, header:NAME or cookie:NAME",
		"client-ip:x":     "client-ip takes no name",
		"header:":         `must name a header, such as header:X-User; "" cannot be one`,
		"cookie:no blank": `must name a cookie, such as cookie:session; "no blank" cannot be one`,
	} {
		var k balancer.CanaryKey
		got := ""
		if err := k.UnmarshalText([]byte(text)); err != nil {
			got = err.Error()
		} else if text, err := k.MarshalText(); err == nil {
			got = string(text)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestCanaryFaults(t *testing.T) {
	for _, test := range []struct {
		name      string
		variables []string
		want      string
	}{
		{"a share of nothing", []string{"CANARY=5%"}, "CANARY: is of no use without CANARY_BACKENDS"},
		{"backends of no share", []string{"CANARY_BACKENDS=http://v2"}, "CANARY_BACKENDS: is of no use without CANARY or CANARY_HEADER"},
		{"who asks is enough", []string{"CANARY_BACKENDS=http://v2", "CANARY_HEADER=X-Canary"}, ""},
		{"a field of nothing", []string{"CANARY_HEADER=X-Canary"}, "CANARY_HEADER: is of no use without CANARY_BACKENDS"},
		{"a rule for who asks alone", []string{"CANARY_BACKENDS=http://v2", "CANARY_HEADER=X-Canary", "CANARY_ABORT=errors>5%/1m"}, "CANARY_ABORT: is of no use without CANARY"},
		{"a key for who asks alone", []string{"CANARY_BACKENDS=http://v2", "CANARY_HEADER=X-Canary", "CANARY_BY=client-ip"}, "CANARY_BY: is of no use without CANARY"},
		{"several at once", []string{"CANARY_BACKENDS=v2:80", "CANARY=5", "CANARY_HEADER=a b"}, `CANARY_BACKENDS="v2:80": backend "v2:80": must be a URL such as http://v2:80
CANARY="5": must be a percentage from 0% to 100%
CANARY_HEADER="a b": "a b" cannot be the name of a field; one looks like X-Canary`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var cfg struct{ Canary balancer.CanaryConfig }
			got := ""
			if _, _, err := config.Load(&cfg, test.variables); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Many decide at once, while the canary fails: no more reach it than were under way, and
// each change is told once.
func TestCanaryAbortsOnce(t *testing.T) {
	s := newSides(t, balancer.Config{}, "CANARY=100%", "CANARY_ABORT=errors>5%/1h")
	s.canaryAnswers = failing
	const clients = 8
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range 100 {
				resp, err := s.RoundTrip(get())
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
			}
		})
	}
	all.Wait()
	if got := s.toCanary.Load(); got < 5 || got > 5+clients || len(s.changes) != 1 {
		t.Errorf("the canary got %d requests: %q", got, s.changes)
	}
}
