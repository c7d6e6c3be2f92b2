package identity_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"spangate/balancer/identity"
)

// TestClockIsSet has the clock of the world set, or the machine sleep, once there is a
// token, or none. A token is never sent for longer than it is valid, and nobody waits for
// another fetch until a clock that was set back has caught up.
func TestClockIsSet(t *testing.T) {
	const back, forward = -2 * time.Hour, 2 * time.Hour
	for name, test := range map[string]struct {
		set    time.Duration // by which the clock of the world is set
		asleep time.Duration // for which the other one stands still
		down   bool          // whether the first fetch fails
		after  time.Duration // that passes then
		want   string
	}{
		"set back, while it is valid":       {set: back, after: 30 * time.Minute, want: "Bearer 1"},
		"set back, and it expires":          {set: back, after: time.Hour, want: "Bearer 2"},
		"set forward beyond its end":        {set: forward, want: "Bearer 2"},
		"asleep beyond its end":             {asleep: forward, after: forward, want: "Bearer 2"},
		"set back in an outage":             {set: back, down: true, after: time.Second, want: "Bearer 2"},
		"set back in an outage, at once":    {set: back, down: true, want: "identity_error"},
		"asleep in an outage, that is over": {asleep: time.Minute, down: true, after: time.Minute, want: "Bearer 2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, sources := &issuer{life: time.Hour, down: func(n int) bool { return test.down && n == 1 }}, new(identity.Sources)
				var ahead, asleep time.Duration
				if test.asleep > 0 {
					sources.SetAsleep(func() time.Duration { return asleep })
				} else {
					sources.SetWorld(func() time.Duration { return ahead })
				}
				signer := issuer.signer(sources)
				get(t.Context(), signer)
				ahead, asleep = test.set, test.asleep
				time.Sleep(test.after)
				if got := get(t.Context(), signer); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				synctest.Wait()
			})
		})
	}
}

// TestDoubtAfterAClockWasSetBack has a backend not take a token whose end was counted by a
// clock that was wrong.
func TestDoubtAfterAClockWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, sources := &issuer{life: time.Hour}, new(identity.Sources)
		var ahead time.Duration
		sources.SetWorld(func() time.Duration { return ahead })
		signer := issuer.signer(sources)
		r, _ := http.NewRequest("GET", "http://app.example", nil)
		_, token, err := signer.Sign(r)
		if err != nil {
			t.Fatal(err)
		}
		ahead = -2 * time.Hour
		time.Sleep(time.Minute)
		signer.Answered(token, http.StatusUnauthorized)
		get(t.Context(), signer)
		synctest.Wait()
		if got := get(t.Context(), signer); got != "Bearer 2" {
			t.Errorf("got %q", got)
		}
	})
}

// TestWhoAsksIsAskedToRest has whoever hands out tokens say when to come again.
func TestWhoAsksIsAskedToRest(t *testing.T) {
	for said, want := range map[string]time.Duration{
		"":                              time.Second,
		"0":                             time.Second,
		"soon":                          time.Second,
		"30":                            30 * time.Second,
		"Sat, 01 Jan 2000 00:00:30 GMT": 30 * time.Second,
		"86400":                         time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			issuer := &issuer{life: time.Hour, fails: func(n int) error {
				if n > 1 {
					return nil
				}
				return identity.Refused(&http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {said}}}, errors.New("too many"))
			}}
			signer := issuer.signer(new(identity.Sources))
			get(t.Context(), signer)
			time.Sleep(want - want/5)
			if got := get(t.Context(), signer); got != "identity_error" {
				t.Errorf("%q: before %v it got %q", said, want, got)
			}
			time.Sleep(want / 5)
			if got := get(t.Context(), signer); got != "Bearer 2" {
				t.Errorf("%q: after %v it got %q", said, want, got)
			}
		})
	}
}
