package balancer_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/handler/fault"
)

// watched is a pool whose changes are noted as "name from>to reason".
func watched(cfg balancer.Config, backends ...*balancer.Backend) (*balancer.Pool, *[]string) {
	var changes []string
	hooks := balancer.Hooks{Changed: func(c balancer.StateChange) {
		changes = append(changes, fmt.Sprintf("%s %s>%s %s", c.Backend.Name, c.From, c.To, c.Reason))
	}}
	return balancer.NewPoolOf(cfg, hooks, balancer.NewRoundRobin(), backends...), &changes
}

func readyNames(p *balancer.Pool) (names []string) {
	for _, b := range p.Ready() {
		names = append(names, b.Name)
	}
	return names
}

func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := named(nil, "a", "b", "c")
		a, b, c := all[0], all[1], all[2]
		p, changes := watched(balancer.Config{Outlier: balancer.OutlierConfig{MaxEjected: 50}}, all...)
		steps := []struct {
			what string
			do   func()
			want []string // ready
		}{
			{"unknown backends may be used", func() {}, []string{"a", "b", "c"}},
			{"a verdict", func() { p.Probed(a, nil); p.Probed(b, errors.New("x")) }, []string{"a", "c"}},
			{"the same again", func() { p.Probed(b, errors.New("y")) }, []string{"a", "c"}},
			{"back", func() { p.Probed(b, nil) }, []string{"a", "b", "c"}},
			{"ejected", func() { p.Eject(a, balancer.Ejection{For: time.Minute}) }, []string{"b", "c"}},
			{"only half may be", func() {
				if p.Eject(b, balancer.Ejection{For: time.Minute}) {
					t.Error("two of three were ejected")
				}
			}, []string{"b", "c"}},
			{"a probe does not end it", func() { p.Probed(a, nil) }, []string{"b", "c"}},
			{"time does", func() { time.Sleep(time.Minute) }, []string{"a", "b", "c"}},
			{"ejected, then gone, then back", func() {
				p.Eject(a, balancer.Ejection{For: time.Hour})
				p.Probed(a, errDown)
				p.Probed(a, nil)
			}, []string{"a", "b", "c"}},
			{"readmitted", func() { p.Eject(a, balancer.Ejection{For: time.Hour}); p.Readmit(a) }, []string{"a", "b", "c"}},
			{"left", func() { p.SetMembers([]*balancer.Backend{b, c}) }, []string{"b", "c"}},
			{"the ejected when there is nobody else", func() { p.Eject(b, balancer.Ejection{For: time.Hour}); p.Probed(c, errDown) }, []string{"b"}},
			{"but not the last one that is fit", func() { p.Probed(c, nil) }, []string{"c"}},
			{"none is left", func() { p.Readmit(b); p.Probed(b, errDown); p.Probed(c, errDown) }, nil},
		}
		for _, step := range steps {
			step.do()
			if diff := cmp.Diff(step.want, readyNames(p)); diff != "" {
				t.Errorf("%s: ready (-want +got):\n%s", step.what, diff)
			}
		}
		want := []string{
			"a unknown>ready probe_succeeded", "b unknown>down probe_failed", "b down>ready probe_succeeded",
			"a ready>ejected outlier", "a ejected>ready ejection_ended",
			"a ready>ejected outlier", "a ejected>down probe_failed", "a down>ready probe_succeeded",
			"a ready>ejected outlier", "a ejected>ready probe_succeeded",
			"a ready>draining left", "b ready>ejected outlier", "c unknown>down probe_failed", "c down>ready probe_succeeded",
			"b ejected>ready probe_succeeded", "b ready>down probe_failed", "c ready>down probe_failed",
		}
		if diff := cmp.Diff(want, *changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if _, err := p.Pick(get()); err == nil {
			t.Error("picked a backend though all are down")
		}
	})
}

func TestPanicThreshold(t *testing.T) {
	all := named(nil, "a", "b", "c", "d")
	p, _ := watched(balancer.Config{PanicThreshold: 50}, all...)
	for i, want := range []int{3, 2, 4, 4} {
		p.Probed(all[i], errDown)
		if got := len(p.Ready()); got != want {
			t.Errorf("with %d of 4 down %d may be used, want %d", i+1, got, want)
		}
	}
}

func TestABackendThatRefusesIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := named(nil, "a", "b", "c")
		refused := true
		all[0].Use(roundTripper(func(r *http.Request) (*http.Response, error) {
			if refused {
				return nil, &fault.Error{Type: fault.ConnectionRefused}
			}
			return answering(200).RoundTrip(r)
		}))
		p, _ := watched(balancer.Config{}, all...)
		picks := func(n int) (names []string) {
			for range n {
				b, err := p.Pick(get())
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, b.Name)
			}
			return names
		}
		all[0].RoundTrip(get())
		if got := picks(300); slices.Contains(got, "a") {
			t.Error("picked the one that refused")
		}
		p.Probed(all[0], nil)
		if got := picks(3); !slices.Contains(got, "a") {
			t.Error("not picked though a probe found it fit")
		}
		all[0].RoundTrip(get())
		time.Sleep(time.Second)
		others := func(name string) bool { return name != "a" }
		if n := len(slices.DeleteFunc(picks(300), others)); n != 1 {
			t.Errorf("a second later picked %d times, want once to find out", n)
		}
		refused = false
		all[0].RoundTrip(get())
		if got := picks(3); !slices.Contains(got, "a") {
			t.Error("not picked though it answers again")
		}
		if b, err := balancer.NewPool(balancer.NewRandom(), all[0]).Pick(get()); err != nil || b != all[0] {
			t.Errorf("alone: %v, %v", b, err)
		}
	})
}
