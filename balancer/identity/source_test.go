package identity_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer/identity"
	"spangate/handler/fault"
)

var errOutage = errors.New("there is an outage")

// issuer hands out tokens that are called after how many fetches there were.
type issuer struct {
	life    time.Duration
	takes   time.Duration
	lingers time.Duration        // how long it takes to end once it is broken off
	down    func(fetch int) bool // nil: never
	fails   func(fetch int) error
	fetches atomic.Int64
	ended   atomic.Int64 // fetches that were broken off
}

func (i *issuer) fetch(ctx context.Context) (identity.Token, error) {
	n := int(i.fetches.Add(1))
	if i.takes > 0 {
		select {
		case <-time.After(i.takes):
		case <-ctx.Done():
			time.Sleep(i.lingers)
			i.ended.Add(1)
			return identity.Token{}, context.Cause(ctx)
		}
	}
	if i.down != nil && i.down(n) {
		return identity.Token{}, errOutage
	}
	if i.fails != nil {
		if err := i.fails(n); err != nil {
			return identity.Token{}, err
		}
	}
	return identity.NewToken(fmt.Sprint(n), i.life)
}

// signer is one whose tokens are those of i.
func (i *issuer) signer(of *identity.Sources) *identity.Signer {
	return of.Signer(identity.Config{}, identity.Purpose{Kind: identity.Google, Audience: "https://app.example"}, identity.Hooks{
		Fetch: func(identity.Request, identity.Fetch) identity.Fetch { return i.fetch },
	})
}

// get returns what a request is sent with, or the type of the failure if it is not sent.
func get(ctx context.Context, s *identity.Signer) string {
	r, _ := http.NewRequestWithContext(ctx, "GET", "http://app.example", nil)
	signed, _, err := s.Sign(r)
	if err == nil {
		return signed.Header.Get("X-Serverless-Authorization")
	}
	failure, ok := errors.AsType[*fault.Error](err)
	if !ok || !failure.Blameless() || !errors.Is(err, fault.ErrNoToken) {
		return fmt.Sprintf("blames a backend: %v", err)
	}
	return string(failure.Type)
}

// TestSource asks for a token at times after the beginning.
func TestSource(t *testing.T) {
	type step struct {
		at      time.Duration
		want    string
		fetches int64 // that there were in all, once those that were begun have ended
	}
	const h, m, s, ms = time.Hour, time.Minute, time.Second, time.Millisecond
	for name, test := range map[string]struct {
		issuer *issuer
		steps  []step
	}{
		"it is kept, and refreshed while it is used": {&issuer{life: h}, []step{
			{0, "Bearer 1", 1}, {30 * m, "Bearer 1", 1}, {56*m + 14*s, "Bearer 1", 1}, {56*m + 15*s, "Bearer 1", 2}, {56*m + 16*s, "Bearer 2", 2},
		}},
		"while the next one takes its time, the old one is used": {&issuer{life: h, takes: 4 * s}, []step{
			{0, "Bearer 1", 1}, {57 * m, "Bearer 1", 2}, {57*m + 3*s, "Bearer 1", 2}, {57*m + 5*s, "Bearer 2", 2},
		}},
		"one with a short life": {&issuer{life: m}, []step{
			{0, "Bearer 1", 1}, {47 * s, "Bearer 1", 1}, {48 * s, "Bearer 1", 2}, {49 * s, "Bearer 2", 2},
		}},
		"it is used until it expires, but for the way": {&issuer{life: h}, []step{
			{0, "Bearer 1", 1}, {59*m + 49*s, "Bearer 1", 2}, {2 * h, "Bearer 3", 3},
		}},
		"nobody is sent one that has expired": {&issuer{life: h}, []step{
			{0, "Bearer 1", 1}, {59*m + 50*s, "Bearer 2", 2},
		}},
		"one that has expired when it comes": {&issuer{life: -s}, []step{
			{0, "identity_error", 1}, {500 * ms, "identity_error", 1}, {s, "identity_error", 2},
		}},
		"an outage, after which it is tried less and less often": {&issuer{life: h, down: func(n int) bool { return n <= 3 }}, []step{
			{0, "identity_error", 1}, {800 * ms, "identity_error", 1},
			{1 * s, "identity_error", 2}, {2700 * ms, "identity_error", 2},
			{3 * s, "identity_error", 3}, {6500 * ms, "identity_error", 3},
			{7 * s, "Bearer 4", 4}, {8 * s, "Bearer 4", 4},
		}},
		"an outage while there is one": {&issuer{life: h, down: func(n int) bool { return n == 2 || n == 3 }}, []step{
			{0, "Bearer 1", 1}, {57 * m, "Bearer 1", 2}, {57*m + 500*ms, "Bearer 1", 2}, {57*m + s, "Bearer 1", 3}, {57*m + 3*s, "Bearer 1", 4}, {57*m + 4*s, "Bearer 4", 4},
		}},
		"an outage that lasts longer than it": {&issuer{life: m, down: func(n int) bool { return n > 1 }}, []step{
			{0, "Bearer 1", 1}, {53 * s, "Bearer 1", 2}, {54 * s, "identity_error", 3},
		}},
		"no answer": {&issuer{takes: h}, []step{
			{0, "identity_error", 1}, {identity.FetchTimeout + 500*ms, "identity_error", 1}, {identity.FetchTimeout + s, "identity_error", 2},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signer, start := test.issuer.signer(new(identity.Sources)), time.Now()
				for _, step := range test.steps {
					time.Sleep(time.Until(start.Add(step.at)))
					if got := get(t.Context(), signer); got != step.want {
						t.Errorf("after %v: got %q, want %q", step.at, got, step.want)
					}
					synctest.Wait()
					if got := test.issuer.fetches.Load(); got != step.fetches {
						t.Errorf("after %v there were %d fetches, want %d", step.at, got, step.fetches)
					}
				}
				time.Sleep(identity.FetchTimeout) // of what is under way
			})
		})
	}
}

// TestOutageIsNotMadeWorse has requests come all the time while there is no token.
func TestOutageIsNotMadeWorse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := &issuer{down: func(int) bool { return true }}
		signer, start := issuer.signer(new(identity.Sources)), time.Now()
		for time.Since(start) < 5*time.Minute {
			before := time.Now()
			if got := get(t.Context(), signer); got != "identity_error" || time.Since(before) != 0 {
				t.Fatalf("got %q after %v", got, time.Since(before))
			}
			time.Sleep(10 * time.Millisecond)
		}
		// After 1, 2, 4, 8 seconds and then every 10, less a tenth at most.
		if got := issuer.fetches.Load(); got < 32 || got > 38 {
			t.Errorf("there were %d fetches in five minutes", got)
		}
	})
}

// TestManyWaitForOneFetch has some of those who wait go away.
// Once a fetch has hung and failed, requests fail at once, and the next fetches are made
// beside them.
func TestNobodyWaitsAgainForWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{life: time.Hour, takes: time.Hour}
		s := i.signer(&identity.Sources{})
		ask := func() (got string, took time.Duration) {
			began := time.Now()
			got = get(t.Context(), s)
			return got, time.Since(began)
		}
		if got, took := ask(); got != "identity_error" || took != 5*time.Second {
			t.Errorf("at first: %s after %v", got, took)
		}
		for range 3 {
			time.Sleep(20 * time.Second)
			if got, took := ask(); got != "identity_error" || took > 0 {
				t.Errorf("while it hangs: %s after %v", got, took)
			}
		}
		time.Sleep(2 * time.Minute)
		if got, took := ask(); got != "identity_error" || took != 5*time.Second {
			t.Errorf("when nobody has asked for long: %s after %v", got, took)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait() // for the last fetch, which reads what changes here
		i.takes = 0
		ask()
		synctest.Wait()
		if got, took := ask(); got != fmt.Sprint("Bearer ", i.fetches.Load()) || took > 0 {
			t.Errorf("when it does not any more: %s after %v, of %d fetches", got, took, i.fetches.Load())
		}
	})
}

func TestManyWaitForOneFetch(t *testing.T) {
	for name, test := range map[string]struct {
		stay, leave int
		down        bool
		want        map[string]int
		later       string // what who comes later gets
	}{
		"all wait":                            {stay: 1000, want: map[string]int{"Bearer 1": 1000}, later: "Bearer 1"},
		"half of them go away, the first too": {stay: 500, leave: 500, want: map[string]int{"Bearer 1": 500, "client_disconnected": 500}, later: "Bearer 1"},
		"all go away":                         {leave: 1000, want: map[string]int{"client_disconnected": 1000}, later: "Bearer 1"},
		"there is none":                       {stay: 99, leave: 1, down: true, want: map[string]int{"identity_error": 99, "client_disconnected": 1}, later: "identity_error"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := &issuer{life: time.Hour, takes: 2 * time.Second, down: func(int) bool { return test.down }}
				signer, results, start := issuer.signer(new(identity.Sources)), make(chan string), time.Now()
				leaving, leave := context.WithCancel(t.Context())
				for i := range test.leave + test.stay {
					ctx := t.Context()
					if i < test.leave {
						ctx = leaving
					}
					go func() { results <- get(ctx, signer) }()
					synctest.Wait() // so that the first comes first
				}
				time.Sleep(time.Second)
				leave()
				got := map[string]int{}
				for range test.leave + test.stay {
					got[<-results]++
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("who waited got (-want +got):\n%s", diff)
				}
				time.Sleep(time.Until(start.Add(2500 * time.Millisecond)))
				if got := get(t.Context(), signer); got != test.later {
					t.Errorf("who came later got %q, want %q", got, test.later)
				}
				if got := issuer.fetches.Load(); got != 1 || issuer.ended.Load() != 0 {
					t.Errorf("there were %d fetches, of which %d were broken off", got, issuer.ended.Load())
				}
			})
		})
	}
}

// TestDeadlineOfWhoWaits has a request that has less time than a fetch takes.
func TestDeadlineOfWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signer, start := (&issuer{life: time.Hour, takes: 2 * time.Second}).signer(new(identity.Sources)), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got, took := get(ctx, signer), time.Since(start); got != "timeout" || took != time.Second {
			t.Errorf("got %q after %v", got, took)
		}
		time.Sleep(2 * time.Second)
	})
}

// TestRunBreaksFetchesOff ends what has sources while somebody waits for a token. It
// returns when the fetch has ended, which takes a second yet.
func TestRunBreaksFetchesOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, sources := &issuer{takes: time.Hour, lingers: time.Second}, new(identity.Sources)
		ctx, stop := context.WithCancel(t.Context())
		ran, got := make(chan error), make(chan string)
		go func() { ran <- sources.Run(ctx) }()
		go func() { got <- get(t.Context(), issuer.signer(sources)) }()
		synctest.Wait()
		start := time.Now()
		stop()
		if err := <-ran; err != nil || issuer.ended.Load() != 1 || time.Since(start) != time.Second {
			t.Errorf("%d fetches were broken off after %v; %v", issuer.ended.Load(), time.Since(start), err)
		}
		if got := <-got; got != "identity_error" {
			t.Errorf("who waited got %q", got)
		}
	})
}

// TestDoubt has a backend answer that it does not take the token.
func TestDoubt(t *testing.T) {
	for name, test := range map[string]struct {
		after   time.Duration
		status  int
		again   bool // whether the token was replaced before the answer came
		fetches int64
	}{
		"401 to one that has just come":   {59 * time.Second, 401, false, 1},
		"401 to one that has been there":  {time.Minute, 401, false, 2},
		"403, which is the caller's":      {time.Minute, 403, false, 1},
		"200":                             {time.Minute, 200, false, 1},
		"401 to one that is used no more": {time.Minute, 401, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := &issuer{life: time.Hour}
				signer := issuer.signer(new(identity.Sources))
				r, _ := http.NewRequest("GET", "http://app.example", nil)
				_, token, err := signer.Sign(r)
				if err != nil {
					t.Fatal(err)
				}
				if test.again {
					time.Sleep(time.Hour)
					get(t.Context(), signer)
				}
				time.Sleep(test.after)
				for range 10 {
					signer.Answered(token, test.status)
				}
				before := issuer.fetches.Load()
				if got, want := get(t.Context(), signer), fmt.Sprint("Bearer ", before); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				synctest.Wait()
				for range 10 { // who was sent the old one hears of that later
					signer.Answered(token, test.status)
				}
				get(t.Context(), signer)
				synctest.Wait()
				if got := issuer.fetches.Load(); got != test.fetches {
					t.Errorf("there were %d fetches, want %d", got, test.fetches)
				}
			})
		})
	}
}
