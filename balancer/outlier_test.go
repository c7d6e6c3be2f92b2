package balancer_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/handler/config"
)

var errDown = errors.New("down")

func ExampleNewOutlier() {
	outlier := balancer.NewOutlier(balancer.OutlierConfig{Failures: 3, Ejection: 30 * time.Second}, func(e balancer.Ejection) bool {
		fmt.Println("left out for", e.For, "after", e.Failures, "failures in a row, of which the last is:", e.Err)
		return true
	})
	refused := errors.New("connection refused")
	for _, err := range []error{refused, refused, nil, refused, refused, refused} {
		outlier.Observe(err)
	}
	// Output: left out for 30s after 3 failures in a row, of which the last is: connection refused
}

// story is a sequence of events at one backend: + a request that succeeds,
// - one that fails, P a probe that succeeds, p one that fails, s a second that
// passes, m a minute, h an hour, r from here on the pool refuses, a it accepts.
func story(events string) (ejections []string) {
	accept := true
	o := balancer.NewOutlier(balancer.OutlierConfig{Failures: 3, Ejection: 30 * time.Second}, func(e balancer.Ejection) bool {
		said := e.For.String()
		if !accept {
			said = "refused " + said
		}
		ejections = append(ejections, said)
		return accept
	})
	for _, event := range events {
		switch event {
		case '+':
			o.Observe(nil)
		case '-':
			o.Observe(errDown)
		case 'P':
			if o.Probed(nil) {
				ejections = append(ejections, "ended")
			}
		case 'p':
			o.Probed(errDown)
		case 's':
			time.Sleep(time.Second)
		case 'm':
			time.Sleep(time.Minute)
		case 'h':
			time.Sleep(time.Hour)
		case 'r', 'a':
			accept = event == 'a'
		}
	}
	return ejections
}

func TestOutlier(t *testing.T) {
	const half = "ssssssssssssssssssssssssssssss" // a minute of it
	for _, test := range []struct {
		name, events string
		want         []string
	}{
		{"no failures", "++++", nil},
		{"too few", "--", nil},
		{"in a row", "---", []string{"30s"}},
		{"not in a row", "--+--+--", nil},
		{"failures of requests that it still had", "--- ---- s ---", []string{"30s"}},
		{"comes back with a clean slate", "-----" + half + "--", []string{"30s"}},
		{"longer each time", "---" + half + "---m---", []string{"30s", "1m0s", "1m30s"}},
		{"forgotten after an hour", "---h---", []string{"30s", "30s"}},
		{"forgotten after as long again", "---" + half + half + "---", []string{"30s", "30s"}},
		{"forgotten one by one", "---" + half + "---mm---", []string{"30s", "1m0s", "30s"}},
		{"refused, and asked again at the next failure", "r----a-", []string{"refused 30s", "refused 30s", "30s"}},
		{"refused, and a success", "r---+a--", []string{"refused 30s"}},
		{"refusals do not count", "r------a-", []string{"refused 30s", "refused 30s", "refused 30s", "refused 30s", "30s"}},
		{"probes that never saw it end nothing", "P---sPsPsP", []string{"30s"}},
		{"probes that saw it before end it", "p---sPP", []string{"30s", "ended"}},
		{"probes that saw it during it end it", "P---psppsPP", []string{"30s", "ended"}},
		{"a trouble of long ago ends nothing", "pP---P", []string{"30s"}},
		{"ended, and failing again", "p---P---", []string{"30s", "ended", "1m0s"}},
		{"ended by time first", "---p" + half + "P", []string{"30s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if diff := cmp.Diff(test.want, story(test.events)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestOutlierGrowsToALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last time.Duration
		o := balancer.NewOutlier(balancer.OutlierConfig{Failures: 1, Ejection: time.Second}, func(e balancer.Ejection) bool {
			last = e.For
			return true
		})
		for i := range 30 {
			o.Observe(errDown)
			if want := time.Duration(min(i+1, 10)) * time.Second; last != want {
				t.Fatalf("ejection %d takes %v, want %v", i+1, last, want)
			}
			time.Sleep(last)
		}
		time.Sleep(3 * time.Second)
		if o.Observe(errDown); last != 8*time.Second {
			t.Errorf("after three quiet times, an ejection takes %v, want 8s", last)
		}
	})
}

func TestOutlierConfig(t *testing.T) {
	var got balancer.Config
	if _, _, err := config.Load(&got, []string{"BACKENDS=echo:a"}); err != nil {
		t.Fatal(err)
	}
	on, _ := got.Outlier.On.MarshalText()
	if got.Outlier.Failures != 5 || got.Outlier.Ejection != 30*time.Second || got.Outlier.MaxEjected != 50 || string(on) != "connect,reset,timeout,502,503,504" {
		t.Errorf("by default %+v, on %s", got.Outlier, on)
	}
	for variable, want := range map[string]string{
		"OUTLIER_FAILURES=-1":   `OUTLIER_FAILURES="-1": must be at least 0`,
		"OUTLIER_EJECTION=soon": `OUTLIER_EJECTION="soon": must be a duration such as 500ms, 10s or 1m30s`,
	} {
		_, _, err := config.Load(&balancer.Config{}, []string{"BACKENDS=echo:a", variable})
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", variable, err, want)
		}
	}
}

func TestOutlierOff(t *testing.T) {
	o := balancer.NewOutlier(balancer.OutlierConfig{}, func(balancer.Ejection) bool { t.Error("ejected"); return true })
	for range 1000 {
		o.Observe(errDown)
	}
	if o.Probed(errDown) || o.Probed(nil) {
		t.Error("ended what never began")
	}
}

func TestOutlierOfManyAtOnce(t *testing.T) {
	var ejections atomic.Int64
	o := balancer.NewOutlier(balancer.OutlierConfig{Failures: 5, Ejection: time.Hour}, func(balancer.Ejection) bool {
		ejections.Add(1)
		return true
	})
	var requests sync.WaitGroup
	for range 8 {
		requests.Go(func() {
			for range 1000 {
				o.Observe(errDown)
				o.Probed(nil)
			}
		})
	}
	requests.Wait()
	if n := ejections.Load(); n != 1 {
		t.Errorf("%d ejections within an hour's one", n)
	}
}

func BenchmarkOutlier(b *testing.B) {
	for name, cfg := range map[string]balancer.OutlierConfig{"on": {Failures: 5, Ejection: time.Second}, "off": {}} {
		o := balancer.NewOutlier(cfg, func(balancer.Ejection) bool { return true })
		b.Run("success/"+name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					o.Observe(nil)
				}
			})
		})
		b.Run("failure/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				o.Observe(errDown)
			}
		})
	}
}
