package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/probe"
)

var errDown = errors.New("down")

func ExampleWatcher() {
	ctx, cancel := context.WithCancel(context.Background())
	answers := []error{nil, errDown, errDown, nil}
	check := func(context.Context, *url.URL) error {
		answer := answers[0]
		if answers = answers[1:]; len(answers) == 0 {
			cancel()
		}
		return answer
	}
	cfg := probe.Config{Interval: 10 * time.Millisecond}
	w := probe.NewWatcher(cfg, &url.URL{Host: "app-1"}, check, func(r probe.Report) {
		if r.Changed {
			fmt.Println(r.Err == nil, r.Err)
		}
	})
	fmt.Println(w.Run(ctx))
	// Output:
	// true <nil>
	// false down
	// true <nil>
	// context canceled
}

// recorder is a backend whose probes answer what a script says, one letter
// each: + fit, - not, ~ hangs until the timeout, ! stops the process for a
// minute. After its last letter, that one goes on.
type recorder struct {
	script string
	start  time.Time
	probes []time.Duration // since start
	notes  []string        // triggers other than the timer, changes
	each   func(n int)     // called in each probe, if not nil
}

func (r *recorder) check(ctx context.Context, _ *url.URL) error {
	answer := r.script[min(len(r.probes), len(r.script)-1)]
	r.probes = append(r.probes, time.Since(r.start))
	if r.each != nil {
		r.each(len(r.probes))
	}
	switch answer {
	case '-':
		return errDown
	case '~':
		<-ctx.Done()
		return ctx.Err()
	case '!':
		time.Sleep(time.Minute)
		return ctx.Err()
	}
	return nil
}

// report notes the number of the probe that led to the change.
func (r *recorder) report(p probe.Report) {
	if !p.Changed {
		return
	}
	state := "down"
	if p.Err == nil {
		state = "ready"
	}
	r.notes = append(r.notes, fmt.Sprintf("%d %s", len(r.probes), state))
}

// watch runs a watcher for d of virtual time; during may do something beside.
func (r *recorder) watch(t *testing.T, cfg probe.Config, d time.Duration, during func(*probe.Watcher)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	r.start = time.Now()
	w := probe.NewWatcher(cfg, &url.URL{Host: "a"}, r.check, r.report)
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	if during != nil {
		during(w)
	}
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v", err)
	}
}

func TestWatchVerdicts(t *testing.T) {
	for _, test := range []struct {
		name, script string
		rise, fall   int
		want         string
	}{
		{"fit at once", "+", 3, 3, "1 ready"},
		{"fit after a slow start", "--+", 3, 3, "3 ready"},
		{"unfit from the beginning", "-", 1, 2, "2 down"},
		{"unfit from the beginning, by one", "-", 1, 1, "1 down"},
		{"one failure is none", "+-+-+-+", 1, 2, "1 ready"},
		{"down", "+--", 1, 2, "1 ready, 3 down"},
		{"down by five", "+----+-----", 1, 5, "1 ready, 11 down"},
		{"down and up again", "+--+", 1, 2, "1 ready, 3 down, 4 ready"},
		{"up again by three", "--++-+++", 3, 2, "2 down, 8 ready"},
		{"hangs", "+~~+", 1, 2, "1 ready, 3 down, 4 ready"},
		{"stopped processes know nothing", "+-!-+", 1, 2, "1 ready, 4 down, 5 ready"},
		{"stopped processes know nothing from the beginning", "!!!+", 1, 2, "4 ready"},
		{"zero values are the defaults", "+-+--+", 0, 0, "1 ready, 5 down, 6 ready"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{script: test.script}
				r.watch(t, probe.Config{Rise: test.rise, Fall: test.fall}, time.Hour, nil)
				if diff := cmp.Diff(test.want, strings.Join(r.notes, ", ")); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// gaps are the times from one probe to the next.
func (r *recorder) gaps() (all []time.Duration) {
	for i := 1; i < len(r.probes); i++ {
		all = append(all, r.probes[i]-r.probes[i-1])
	}
	return all
}

func TestWatchRhythm(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	type gap [2]time.Duration // least and most
	interval := gap{9 * s, 10 * s}
	confirm := gap{s, s}
	for _, test := range []struct {
		name, script string
		cfg          probe.Config
		want         []gap
	}{
		{"at intervals", "+", probe.Config{}, []gap{interval, interval, interval}},
		{"sooner until the verdict is settled", "+--++", probe.Config{Rise: 2}, []gap{interval, confirm, interval, confirm, interval}},
		{"sooner until the doubt is over", "+-+", probe.Config{}, []gap{interval, confirm, interval}},
		{"down at intervals", "-", probe.Config{}, []gap{confirm, interval, interval}},
		{"sooner is a tenth of the interval", "+-", probe.Config{Interval: 5 * s}, []gap{{4500 * ms, 5 * s}, {500 * ms, 500 * ms}}},
		{"and 50 ms at least", "+-", probe.Config{Interval: 100 * ms}, []gap{{90 * ms, 100 * ms}, {50 * ms, 50 * ms}}},
		{"but never more than the interval", "+-", probe.Config{Interval: 20 * ms}, []gap{{18 * ms, 20 * ms}, {20 * ms, 20 * ms}}},
		{"hanging for less than the interval", "~", probe.Config{}, []gap{{2050 * ms, 2050 * ms}, interval, interval}},
		{"hanging for more than the interval", "~", probe.Config{Interval: s}, []gap{{2050 * ms, 2050 * ms}, {2050 * ms, 2050 * ms}}},
		{"no burst after a stop", "+!+", probe.Config{}, []gap{interval, {60*s + 50*ms, 60*s + 50*ms}, interval}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{script: test.script}
				r.watch(t, test.cfg, 2*time.Minute, nil)
				if r.probes[0] != 0 {
					t.Errorf("the first probe came after %v, want at once", r.probes[0])
				}
				got := r.gaps()
				for i, want := range test.want {
					if got[i] < want[0] || got[i] > want[1] {
						t.Errorf("probe %d came %v after the one before, want %v to %v", i+2, got[i], want[0], want[1])
					}
				}
			})
		})
	}
}

func TestWatchJitters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{script: "+"}
		r.watch(t, probe.Config{}, time.Hour, nil)
		gaps := r.gaps()
		if slices.Min(gaps) == slices.Max(gaps) {
			t.Errorf("all probes came %v apart", gaps[0])
		}
	})
}

func TestSuspect(t *testing.T) {
	const s = time.Second
	for _, test := range []struct {
		name, script string
		at           []time.Duration // suspicions
		want         []time.Duration // the first probes
		notes        string
	}{
		{"a probe at once", "+", []time.Duration{5 * s}, []time.Duration{0, 5 * s}, "1 ready"},
		{"not sooner than to confirm", "+", []time.Duration{s / 2}, []time.Duration{0, s}, "1 ready"},
		{"many are one", "+", []time.Duration{5 * s, 5 * s, 5 * s}, []time.Duration{0, 5 * s}, "1 ready"},
		{"again and again", "+", []time.Duration{2 * s, 2*s + s/2, 2*s + s*3/4, 3*s + s/2}, []time.Duration{0, 2 * s, 3 * s, 4 * s}, "1 ready"},
		{"finds it down", "+-", []time.Duration{5 * s}, []time.Duration{0, 5 * s, 6 * s}, "1 ready, 3 down"},
		{"nothing new of what is down", "-", []time.Duration{2 * s, 3 * s, 4 * s}, []time.Duration{0, s}, "2 down"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &recorder{script: test.script}
				r.watch(t, probe.Config{}, 9*s, func(w *probe.Watcher) {
					for _, at := range test.at {
						time.Sleep(at - time.Since(r.start))
						w.Suspect()
					}
				})
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

func TestTriggerOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 18*time.Second)
		defer cancel()
		var got []probe.Trigger
		check := func(ctx context.Context, _ *url.URL) error {
			got = append(got, probe.TriggerOf(ctx))
			return nil
		}
		w := probe.NewWatcher(probe.Config{}, nil, check, func(probe.Report) {})
		go func() {
			time.Sleep(5 * time.Second)
			w.Suspect()
		}()
		w.Run(ctx)
		want := []probe.Trigger{probe.TriggerTimer, probe.TriggerRequest, probe.TriggerTimer}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	if got := probe.TriggerOf(t.Context()); got != probe.TriggerTimer {
		t.Errorf("without a probe: %q", got)
	}
}

// Whatever the moment at which it ends, a watcher leaves without a verdict that
// its own end has caused.
func TestWatchEnds(t *testing.T) {
	why := errors.New("shutting down")
	for name, end := range map[string]func(cancel func(), w *probe.Watcher){
		"before it begins":  func(cancel func(), _ *probe.Watcher) { cancel() },
		"within a probe":    func(cancel func(), _ *probe.Watcher) { time.Sleep(time.Second); cancel() },
		"between probes":    func(cancel func(), _ *probe.Watcher) { time.Sleep(5 * time.Second); cancel() },
		"waiting to probe":  func(cancel func(), w *probe.Watcher) { time.Sleep(2 * time.Second); w.Suspect(); cancel() },
		"after a long time": func(cancel func(), _ *probe.Watcher) { time.Sleep(5*time.Hour + time.Second); cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				check := func(ctx context.Context, _ *url.URL) error {
					<-time.After(1500 * time.Millisecond)
					return ctx.Err()
				}
				w := probe.NewWatcher(probe.Config{Fall: 1}, nil, check, func(r probe.Report) {
					if r.Err != nil {
						t.Errorf("reported as down: %v", r.Err)
					}
				})
				ended := make(chan error)
				go func() { ended <- w.Run(ctx) }()
				end(func() { cancel(why) }, w)
				if err := <-ended; err != why {
					t.Errorf("Run: %v", err)
				}
			})
		})
	}
}

func TestWatcherOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{script: "-"}
		w := probe.NewWatcher(probe.Config{Mode: probe.ModeOff}, nil, r.check, r.report)
		if err := w.Run(t.Context()); err != nil {
			t.Error(err)
		}
		w.Suspect()
		if w.Demand() != nil || len(r.probes) > 0 {
			t.Errorf("%d probes", len(r.probes))
		}
	})
}
