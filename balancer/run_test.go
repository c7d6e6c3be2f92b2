package balancer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/probe"
)

// fleet is a pool of which no connection is made: probes and attempts find what
// is in answers, by address or name, or else that all is well.
type fleet struct {
	*balancer.Pool

	mu      sync.Mutex
	answers map[string]error
	events  []string
}

func (f *fleet) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, fmt.Sprintf(format, args...))
}

// told returns what has happened since it was last asked, each once, in order.
func (f *fleet) told() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.events
	f.events = nil
	return slices.Compact(all)
}

func (f *fleet) set(who string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[who] = err
}

func (f *fleet) answer(b *balancer.Backend) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answers[b.ID()]
}

// newFleet returns one that notes probes, outcomes of attempts, changes of states
// and lookups.
func newFleet(t *testing.T, cfg balancer.Config, probes probe.Config, backends string) *fleet {
	t.Helper()
	f := &fleet{answers: map[string]error{}}
	if err := cfg.Backends.UnmarshalText([]byte(backends)); err != nil {
		t.Fatal(err)
	}
	pool, err := balancer.New(cfg, probes, balancer.Hooks{
		Attempt: func(b *balancer.Backend, _ func() int, _ http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				if err := f.answer(b); err != nil {
					return nil, err
				}
				return answering(http.StatusOK).RoundTrip(r)
			})
		},
		Attempted: func(_ context.Context, b *balancer.Backend, o balancer.Outcome) {
			f.note("%s failed: %v", b.ID(), o.Failed)
		},
		Probe: func(b *balancer.Backend, _ probe.Type, _ probe.Check) probe.Check {
			return func(context.Context, *url.URL) error {
				f.note("%s probed", b.ID())
				return f.answer(b)
			}
		},
		Changed: func(c balancer.StateChange) { f.note("%s is %s", c.Backend.ID(), c.To) },
		Discovered: func(found balancer.Discovered) {
			f.note("%d joined, %d left, %d members", len(found.Joined), len(found.Left), len(f.Members()))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Pool = pool
	return f
}

// run runs the pool until the end of the test, in a bubble, which sees whether a
// goroutine is left.
func (f *fleet) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
}

func (f *fleet) check(t *testing.T, what string, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, f.told()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (f *fleet) checkStarted(t *testing.T, want string) {
	t.Helper()
	if got := fmt.Sprint(f.Started()); got != want {
		t.Errorf("Started is %s, want %s", got, want)
	}
}

var errRefused = errors.New("refused")

func TestRunProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, balancer.Config{}, probe.Config{}, "http://a")
		f.set("http://a", errRefused)
		f.check(t, "before it runs")
		f.run(t)
		f.checkStarted(t, "no backend has answered yet")
		f.check(t, "at first", "http://a probed")
		time.Sleep(time.Second)
		f.check(t, "a second later", "http://a probed", "http://a is down")
		f.checkStarted(t, "no backend has answered yet")
		f.set("http://a", nil)
		time.Sleep(10 * time.Second)
		f.check(t, "fit", "http://a probed", "http://a is ready")
		f.checkStarted(t, "<nil>")
	})
}

func TestRunFollowsNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, balancer.Config{DNSRefresh: time.Minute}, probe.Config{Interval: time.Second}, "dns+http://app:80")
		addrs := "10.0.0.1"
		balancer.Discoveries(f.Pool, resolver{addrs: func(context.Context) ([]netip.Addr, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return []netip.Addr{netip.MustParseAddr(addrs)}, nil
		}})
		const first, second = "dns+http://app:80#10.0.0.1:80", "dns+http://app:80#10.0.0.2:80"
		f.run(t)
		told := f.told()
		slices.Sort(told) // the first probe may come before or after
		if diff := cmp.Diff([]string{"1 joined, 0 left, 1 members", first + " is ready", first + " probed"}, told); diff != "" {
			t.Errorf("at first (-want +got):\n%s", diff)
		}
		f.mu.Lock()
		addrs = "10.0.0.2"
		f.mu.Unlock()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if told := strings.Join(f.told(), ", "); !strings.Contains(told, first+" is draining") || !strings.Contains(told, "1 joined, 1 left, 1 members") || !strings.Contains(told, second+" is ready") {
			t.Errorf("when the name leads elsewhere: %s", told)
		}
		time.Sleep(10 * time.Second)
		f.check(t, "afterwards", second+" probed")
	})
}

// TestEvidence checks that a failed attempt is told of before anything follows
// from it, and asks for a probe.
func TestEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := balancer.Config{Outlier: balancer.OutlierConfig{Failures: 2, Ejection: time.Minute, MaxEjected: 100}}
		if err := cfg.Outlier.On.UnmarshalText([]byte("reset")); err != nil {
			t.Fatal(err)
		}
		f := newFleet(t, cfg, probe.Config{}, "http://a")
		f.run(t)
		f.check(t, "at first", "http://a probed", "http://a is ready")
		ask := func() {
			if resp, err := balancer.RetryOf(f.Pool).RoundTrip(get()); err == nil {
				resp.Body.Close()
			}
		}
		time.Sleep(2 * time.Second)
		f.set("http://a", errRefused) // malformed, which is not listed
		ask()
		f.check(t, "what is not listed", "http://a failed: false")
		f.set("http://a", net.ErrClosed) // a reset
		ask()
		f.check(t, "what is listed", "http://a failed: true", "http://a probed")
		ask()
		f.check(t, "the second in a row", "http://a failed: true", "http://a is ejected")
	})
}

func TestStartedWithoutProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, balancer.Config{}, probe.Config{Mode: probe.ModeOff}, "dns+http://app:80")
		balancer.Discoveries(f.Pool, resolver{addrs: func(context.Context) ([]netip.Addr, error) { return one, nil }})
		f.checkStarted(t, "no backend is known yet")
		f.run(t)
		f.checkStarted(t, "<nil>")
		f.check(t, "told", "1 joined, 0 left, 1 members")
	})
}

func TestOnDemand(t *testing.T) {
	for mode, want := range map[probe.Mode][]string{probe.ModeOnDemand: {"http://a probed"}, probe.ModeActive: nil, probe.ModeOff: nil} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, balancer.Config{}, probe.Config{Mode: mode, Interval: time.Second}, "http://a")
				h := f.OnDemand(http.NotFoundHandler())
				f.run(t)
				f.told()
				time.Sleep(time.Second / 2)
				h.ServeHTTP(httptest.NewRecorder(), get())
				f.check(t, "within the interval")
				if mode == probe.ModeActive {
					return // its timers have their time
				}
				time.Sleep(time.Second)
				h.ServeHTTP(httptest.NewRecorder(), get())
				f.check(t, "after it", want...)
			})
		})
	}
}

func TestRunServesTheDemonstration(t *testing.T) {
	var cfg balancer.Config
	if err := cfg.Backends.UnmarshalText([]byte("echo:a,echo:b")); err != nil {
		t.Fatal(err)
	}
	cfg.ConnectTimeout = time.Minute
	pool, err := balancer.New(cfg, probe.Config{Mode: probe.ModeOff}, balancer.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- pool.Run(ctx) }()
	for range 2 {
		resp, err := balancer.RetryOf(pool).RoundTrip(get())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	for _, b := range pool.Members() {
		if conn, err := net.Dial("tcp", b.URL.Host); err == nil {
			conn.Close()
			t.Errorf("%s listens on", b.Name)
		}
	}
}
