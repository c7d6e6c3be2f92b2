package probe_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/probe"
)

func ExampleOnDemand() {
	watcher := probe.NewWatcher(probe.Config{Mode: probe.ModeOnDemand}, &url.URL{Host: "app-1"},
		func(_ context.Context, u *url.URL) error {
			fmt.Println("probing", u.Host)
			return nil
		},
		func(r probe.Report) { fmt.Println("fit:", r.Err == nil) })
	h := probe.OnDemand(func() []*probe.Watcher { return []*probe.Watcher{watcher} })(http.NotFoundHandler())
	for range 3 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}
	// Output:
	// probing app-1
	// fit: true
}

var onDemand = probe.Config{Mode: probe.ModeOnDemand}

func TestDemand(t *testing.T) {
	const s = time.Second
	for _, test := range []struct {
		name, script string
		at           []time.Duration // requests
		want         []time.Duration // probes
		notes        string
	}{
		{"the first request", "+", []time.Duration{0}, []time.Duration{0}, "1 ready"},
		{"an interval later", "+", []time.Duration{s, 2 * s, 10 * s, 11 * s, 12 * s, 22 * s}, []time.Duration{s, 11 * s, 22 * s}, "1 ready"},
		{"no more often while in doubt", "+-", []time.Duration{0, 5 * s, 10 * s, 15 * s, 20 * s}, []time.Duration{0, 10 * s, 20 * s}, "1 ready, 3 down"},
		{"nor when down", "--+", []time.Duration{0, 9 * s, 10 * s, 11 * s, 18 * s, 21 * s}, []time.Duration{0, 9 * s, 21 * s}, "2 down, 3 ready"},
		{"sooner while nothing is known", "---", []time.Duration{0, s / 2, s, 2 * s, 10 * s, 11 * s}, []time.Duration{0, s, 11 * s}, "2 down"},
		{"once after a long pause", "+", []time.Duration{0, 24 * time.Hour, 24 * time.Hour, 24*time.Hour + s}, []time.Duration{0, 24 * time.Hour}, "1 ready"},
		{"one at a time", "~", []time.Duration{0, 0, s, s, 3 * s, 9 * s, 11 * s}, []time.Duration{0, 3 * s}, "2 down"},
		{"a stop in a probe is no verdict", "+!-+", []time.Duration{0, 10 * s, 71 * s, 81 * s}, []time.Duration{0, 10 * s, 71 * s, 81 * s}, "1 ready"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{script: test.script, start: time.Now()}
				w := probe.NewWatcher(onDemand, nil, r.check, r.report)
				var probes []<-chan struct{}
				for _, at := range test.at {
					time.Sleep(at - time.Since(r.start))
					if ended := w.Demand(); ended != nil {
						probes = append(probes, ended)
					}
					synctest.Wait()
				}
				for _, ended := range probes {
					<-ended
				}
				if diff := cmp.Diff(test.want, r.probes); diff != "" {
					t.Errorf("probes (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(test.notes, strings.Join(r.notes, ", ")); diff != "" {
					t.Errorf("changes (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestDemandOutlivesItsRequest(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		check := func(ctx context.Context, _ *url.URL) error {
			if probe.TriggerOf(ctx) != probe.TriggerRequest || ctx.Value(key{}) != nil {
				t.Errorf("trigger %q, value %v", probe.TriggerOf(ctx), ctx.Value(key{}))
			}
			<-ctx.Done()
			return ctx.Err()
		}
		cfg := onDemand
		cfg.Fall = 1
		var reports []probe.Report
		w := probe.NewWatcher(cfg, nil, check, func(r probe.Report) { reports = append(reports, r) })
		start := time.Now()
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "the request's"))
		served := make(chan struct{})
		go func() {
			defer close(served)
			r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
			probe.OnDemand(func() []*probe.Watcher { return []*probe.Watcher{w} })(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
		}()
		synctest.Wait()
		cancel()
		<-served
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("the probe took %v, want its timeout", took)
		}
		if len(reports) != 1 || !reports[0].Changed || reports[0].Err == nil {
			t.Errorf("reports %v", reports)
		}
	})
}

func TestDemandByManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under, most, total atomic.Int64
		check := func(context.Context, *url.URL) error {
			if n := under.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer under.Add(-1)
			total.Add(1)
			time.Sleep(time.Millisecond)
			return nil
		}
		w := probe.NewWatcher(onDemand, nil, check, func(probe.Report) {})
		start := time.Now()
		var requests sync.WaitGroup
		for range 50 {
			requests.Go(func() {
				for time.Since(start) < time.Minute {
					w.Demand()
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		requests.Wait()
		if most.Load() != 1 || total.Load() != 6 {
			t.Errorf("%d probes in a minute, %d at once; want 6, one at a time", total.Load(), most.Load())
		}
	})
}

func TestRunOnDemandProbesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{script: "+", start: time.Now()}
		w := probe.NewWatcher(onDemand, nil, r.check, r.report)
		if err := w.Run(t.Context()); err != nil {
			t.Error(err)
		}
		w.Suspect()
		if w.Demand() != nil {
			t.Error("a second probe within the interval")
		}
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]time.Duration{0}, r.probes); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// The client has its answer at once; the request is over when its probes are.
func TestOnDemandWaits(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"answered": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "2")
			io.WriteString(w, "ok")
		}, "200 ok"},
		"empty": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "204 "},
		"upgraded": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			conn.Close()
		}, "200 ok"},
	} {
		t.Run(name, func(t *testing.T) {
			release, over := make(chan struct{}), make(chan struct{})
			var probed atomic.Bool
			check := func(context.Context, *url.URL) error {
				<-release
				probed.Store(true)
				return nil
			}
			w := probe.NewWatcher(onDemand, nil, check, func(probe.Report) {})
			h := probe.OnDemand(func() []*probe.Watcher { return []*probe.Watcher{w} })(test.handler)
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				defer close(over)
				h.ServeHTTP(rw, r)
				if !probed.Load() {
					t.Error("the request was over before its probe")
				}
			}))
			defer server.Close()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			upgrade := ""
			if name == "upgraded" {
				upgrade = "Connection: Upgrade\r\nUpgrade: x\r\n"
			}
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n"+upgrade+"\r\n")
			if got := readResponse(t, conn); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			close(release)
			<-over
		})
	}
}

func TestOnDemandWaitsWhenAHandlerAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{script: "~", start: time.Now()}
		w := probe.NewWatcher(onDemand, nil, r.check, r.report)
		h := probe.OnDemand(func() []*probe.Watcher { return []*probe.Watcher{w} })(
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		defer func() {
			if got := recover(); got != http.ErrAbortHandler {
				t.Errorf("panicked with %v", got)
			}
			if took := time.Since(r.start); took != 2*time.Second {
				t.Errorf("over after %v", took)
			}
		}()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	})
}

func TestOnDemandProbesEachBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var probed atomic.Int64
		var watchers []*probe.Watcher
		for range 3 {
			watchers = append(watchers, probe.NewWatcher(onDemand, nil, func(context.Context, *url.URL) error {
				time.Sleep(time.Second)
				probed.Add(1)
				return nil
			}, func(probe.Report) {}))
		}
		h := probe.OnDemand(func() []*probe.Watcher { return watchers })(http.NotFoundHandler())
		start := time.Now()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		if took := time.Since(start); took != time.Second || probed.Load() != 3 {
			t.Errorf("%d probes in %v, want 3 beside each other", probed.Load(), took)
		}
	})
}

func readResponse(t *testing.T, conn net.Conn) string {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}

func BenchmarkDemand(b *testing.B) {
	check := func(context.Context, *url.URL) error { return nil }
	for name, cfg := range map[string]probe.Config{
		"nothing due": {Mode: probe.ModeOnDemand, Interval: time.Hour},
		"active":      {},
	} {
		w := probe.NewWatcher(cfg, nil, check, func(probe.Report) {})
		if ended := w.Demand(); ended != nil {
			<-ended
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.Demand()
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					w.Demand()
				}
			})
		})
	}
}

func BenchmarkOnDemand(b *testing.B) {
	var watchers []*probe.Watcher
	for range 3 {
		w := probe.NewWatcher(probe.Config{Mode: probe.ModeOnDemand, Interval: time.Hour}, nil,
			func(context.Context, *url.URL) error { return nil }, func(probe.Report) {})
		<-w.Demand()
		watchers = append(watchers, w)
	}
	h := probe.OnDemand(func() []*probe.Watcher { return watchers })(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(nil, r)
	}
}

func BenchmarkSuspect(b *testing.B) {
	w := probe.NewWatcher(probe.Config{}, nil, nil, nil)
	b.ReportAllocs()
	for b.Loop() {
		w.Suspect()
	}
}
