package balancer_test

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"spangate/balancer"
)

func TestSlowStart(t *testing.T) {
	// Of three of weight 2, one has come up; which part of the traffic it gets
	// after so much of a minute.
	steps := []struct {
		after time.Duration
		want  float64
	}{
		{0, .1 / 2.1},
		{6600 * time.Millisecond, .1 / 2.1},
		{7 * time.Second, .2 / 2.2},
		{30 * time.Second, .5 / 2.5},
		{59 * time.Second, .9 / 2.9},
		{60 * time.Second, 1. / 3},
		{time.Hour, 1. / 3},
	}
	for _, algorithm := range algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pick, ready := algorithm.Picker(userOf), numbered(2, 2, 2)
				picks(pick, ready, 100)
				ready[2].CameUp(time.Minute)
				ready = slices.Clone(ready) // what the pool publishes then
				began := time.Now()
				for _, step := range steps {
					time.Sleep(step.after - time.Since(began))
					want := step.want
					if algorithm == balancer.Hash {
						want = 1. / 3
					}
					if got := float64(picks(pick, ready, 20_000)["2"]) / 20_000; math.Abs(got-want) > .015 {
						t.Errorf("after %v it gets %.3f, want %.3f", step.after, got, want)
					}
				}
			})
		})
	}
}

func TestSlowStartUnderLoad(t *testing.T) {
	for _, algorithm := range []balancer.Algorithm{balancer.RoundRobin, balancer.LeastRequests, balancer.PowerOfTwo, balancer.PeakEWMA, balancer.Random} {
		t.Run(string(algorithm), func(t *testing.T) {
			l := load{requests: 12_000, rate: 1000, service: []time.Duration{10 * time.Millisecond, 10 * time.Millisecond, 10 * time.Millisecond}, workers: 100}
			l.cameUp = 12 * time.Second // as long as the load lasts
			// Over the whole ramp it has on average the weight .55.
			if got := l.under(t, algorithm.Picker(nil)).shares[0]; got < .17 || got > .26 {
				t.Errorf("got %.3f of the traffic while it came up, want about %.3f", got, .55/2.55)
			}
		})
	}
}

func TestSlowStartOff(t *testing.T) {
	ready, pick := numbered(1, 1), balancer.NewRoundRobin()
	ready[0].CameUp(time.Hour)
	ready[0].CameUp(0)
	if counts := picks(pick, ready, 100); counts["0"] != 50 {
		t.Errorf("picked %v", counts)
	}
}
