package balancer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/handler/fault"
)

// askEach sends a request each d until all of that time is over, and returns how many of
// them the canary got.
func (s *sides) askEach(d, all time.Duration) int64 {
	before := s.toCanary.Load()
	for range all / d {
		s.ask(get())
		time.Sleep(d)
	}
	return s.toCanary.Load() - before
}

func TestCanaryAborts(t *testing.T) {
	const broke = time.Millisecond // between requests
	nthFails := func(n int) func(*http.Request) (*http.Response, error) {
		i := 0
		return func(r *http.Request) (*http.Response, error) {
			if i++; i%n == 0 {
				return failing(r)
			}
			return ok(r)
		}
	}
	for _, test := range []struct {
		name           string
		stable, canary func(*http.Request) (*http.Response, error)
		want           []string
	}{
		{"nobody fails", ok, ok, nil},
		{"it fails always", ok, failing, []string{"active to aborted: errors, for 10s; 5 of 5 failed, 0 of 4"}},
		{"it fails more often than it may", ok, nthFails(5), []string{"active to aborted: errors, for 10s; 5 of 25 failed, 0 of 24"}},
		{"it fails less often than it may", ok, nthFails(15), nil},
		{"both fail always", failing, failing, nil},
		{"both fail as often", nthFails(3), nthFails(3), nil},
		{"it fails, and the stable backends now and then", nthFails(20), nthFails(2), []string{"active to aborted: errors, for 10s; 5 of 10 failed, 0 of 9"}},
		{"the stable backends fail", failing, ok, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSides(t, balancer.Config{}, "CANARY=50%", "CANARY_BY=header:X-Turn", "CANARY_ABORT=errors>10%/10s")
				s.stableAnswers, s.canaryAnswers = test.stable, test.canary
				turns := [2]string{turn(t, true), turn(t, false)}
				for i := range 1000 {
					r := get()
					r.Header.Set("X-Turn", turns[i%2])
					s.ask(r)
					time.Sleep(broke)
				}
				if diff := cmp.Diff(test.want, s.changes); diff != "" {
					t.Errorf("changes (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// turn returns a key that the half of a canary has, or not.
func turn(t *testing.T, canary bool) string {
	s := newSides(t, balancer.Config{}, "CANARY=50%", "CANARY_BY=header:X-Turn")
	for key := "a"; ; key += "a" {
		r := get()
		r.Header.Set("X-Turn", key)
		if s.ask(r); s.chosen[len(s.chosen)-1] == canary {
			return key
		}
	}
}

// What the client does, or asks for, is not the canary's failure.
func TestCanaryIsNotAbortedFor(t *testing.T) {
	answers := func(status int) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) { return answering(status).RoundTrip(r) }
	}
	fails := func(e fault.Error) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) { return nil, &e }
	}
	waits := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	for _, test := range []struct {
		name    string
		answers func(*http.Request) (*http.Response, error)
		field   string
		want    bool // aborted
	}{
		{"404", answers(404), "", false},
		{"429", answers(429), "", false},
		{"500", answers(500), "", true},
		{"503", answers(503), "", true},
		{"refused", fails(fault.Error{Type: fault.ConnectionRefused}), "", true},
		{"reset", fails(fault.Error{Type: fault.ConnectionReset, Sent: true}), "", true},
		{"the end of a kept connection", fails(fault.Error{Type: fault.ConnectionReset, Sent: true, Kept: true}), "", false},
		{"waited for in vain", fails(fault.Error{Type: fault.ResponseTimeout, Sent: true}), "", true},
		{"malformed", fails(fault.Error{Type: fault.MalformedResponse, Sent: true}), "", true},
		{"the client went away", fails(fault.Error{Type: fault.ClientDisconnected, Sent: true}), "", false},
		{"the client paused", fails(fault.Error{Type: fault.ClientTimeout, Sent: true}), "", false},
		{"its body is malformed", fails(fault.Error{Type: fault.MalformedRequest, Sent: true}), "", false},
		{"no descriptors", fails(fault.Error{Type: fault.Overloaded}), "", false},
		{"the deadline passed", waits, "", true},
		{"the client's deadline passed", waits, "Grpc-Timeout: 1S", false},
		{"the body broke off", func(*http.Request) (*http.Response, error) {
			body := io.MultiReader(strings.NewReader("a part"), failingReader{})
			return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: 100, Body: io.NopCloser(body)}, nil
		}, "", true},
		{"gRPC: unavailable", grpcStatus("14"), "", true},
		{"gRPC: not found", grpcStatus("5"), "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSides(t, balancer.Config{}, "CANARY=100%", "CANARY_ABORT=errors>50%/10s")
				s.canaryAnswers = test.answers
				for range 10 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					r := get().WithContext(ctx)
					if name, value, set := strings.Cut(test.field, ": "); set {
						r.Header.Set(name, value)
					}
					r.Header.Set("Content-Type", "application/grpc")
					s.ask(r)
					cancel()
					time.Sleep(minSuspicion) // passed over until then
				}
				if state, _ := s.State(); (state == balancer.CanaryAborted) != test.want {
					t.Errorf("the canary is %s, after %d failures", state, s.failed)
				}
			})
		})
	}
}

// minSuspicion is for how long a backend that could not be reached is passed over.
const minSuspicion = time.Second

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func grpcStatus(code string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		header := http.Header{"Content-Type": {"application/grpc"}, "Grpc-Status": {code}}
		return &http.Response{StatusCode: 200, Header: header, Body: http.NoBody}, nil
	}
}

// Failures that are longer ago than the rule says are forgotten.
func TestCanaryIsJudgedWithinTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSides(t, balancer.Config{}, "CANARY=100%", "CANARY_ABORT=errors>5%/10s")
		s.canaryAnswers = failing
		if s.askEach(3*time.Second, time.Hour); s.changes != nil {
			t.Errorf("four failures within the time: %q", s.changes)
		}
		if s.askEach(time.Second, 10*time.Second); len(s.changes) != 1 {
			t.Errorf("nine failures within the time: %q", s.changes)
		}
	})
}

// A canary that was aborted is tried again, and has its share again, or has to wait for
// longer.
func TestCanaryReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSides(t, balancer.Config{}, "CANARY=100%", "CANARY_ABORT=errors>5%/10s")
		s.canaryAnswers = failing
		s.askEach(10*time.Millisecond, 50*time.Millisecond)
		if got := s.askEach(10*time.Millisecond, 9*time.Second); got != 0 {
			t.Errorf("a canary that was aborted got %d requests", got)
		}
		s.canaryAnswers = ok
		time.Sleep(time.Second)
		tried := s.askEach(10*time.Millisecond, 9*time.Second)
		if tried < 30 || tried > 200 {
			t.Errorf("one that is tried got %d of 900 requests", tried)
		}
		time.Sleep(time.Second)
		if got := s.askEach(10*time.Millisecond, time.Second); got != 100 {
			t.Errorf("one that has passed got %d of 100 requests", got)
		}
		want := []string{
			"active to aborted: errors, for 10s; 5 of 5 failed, 0 of 0",
			"aborted to trial: waited, for 10s; 0 of 0 failed, 0 of 0",
			fmt.Sprintf("trial to active: passed, for 0s; 0 of %d failed, 0 of %d", tried, 900-tried),
		}
		if diff := cmp.Diff(want, s.changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// Of a trial nothing is concluded before enough came of it, however long that takes.
func TestCanaryTrialTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSides(t, balancer.Config{}, "CANARY=100%", "CANARY_ABORT=errors>5%/10s")
		s.canaryAnswers = failing
		s.askEach(10*time.Millisecond, 50*time.Millisecond)
		s.canaryAnswers = ok
		time.Sleep(time.Hour)
		before := s.toCanary.Load()
		for s.toCanary.Load() < before+4 {
			s.ask(get())
		}
		time.Sleep(time.Hour)
		if state, share := s.State(); state != balancer.CanaryTrial || share != 0.1 {
			t.Errorf("after four requests it is %s, with a share of %v", state, share)
		}
		for s.toCanary.Load() < before+5 {
			s.ask(get())
		}
		if state, share := s.State(); state != balancer.CanaryActive || share != 1 {
			t.Errorf("after five requests it is %s, with a share of %v", state, share)
		}
	})
}

// A trial is judged by all that came of it: a canary with so few requests that they never
// fail within the time of the rule does not pass it.
func TestCanaryTrialIsJudgedAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSides(t, balancer.Config{}, "CANARY=100%", "CANARY_ABORT=errors>5%/10s")
		s.canaryAnswers = failing
		s.askEach(10*time.Millisecond, 50*time.Millisecond)
		time.Sleep(10 * time.Second)
		for before := s.toCanary.Load(); s.toCanary.Load() < before+4; time.Sleep(8 * time.Second) {
			s.ask(get())
		}
		if state, _ := s.State(); state != balancer.CanaryTrial {
			t.Errorf("after four failures it is %s", state)
		}
		for before := s.toCanary.Load(); s.toCanary.Load() < before+1; time.Sleep(8 * time.Second) {
			s.ask(get())
		}
		if got := s.changes[len(s.changes)-1]; !strings.HasPrefix(got, "trial to aborted: errors, for 20s; 5 of 5 failed") {
			t.Errorf("after five: %q", got)
		}
	})
}

// What was asked before an abort says nothing of the trial after it.
func TestCanaryTrialIsJudgedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSides(t, balancer.Config{}, "CANARY=100%", "CANARY_ABORT=errors>5%/10s")
		late := make(chan struct{})
		s.canaryAnswers = func(r *http.Request) (*http.Response, error) {
			<-late
			return failing(r)
		}
		var asked sync.WaitGroup
		for range 5 {
			asked.Go(func() { s.ask(get()) })
		}
		synctest.Wait()
		s.canaryAnswers = failing
		s.askEach(10*time.Millisecond, 50*time.Millisecond)
		s.canaryAnswers = ok
		time.Sleep(10 * time.Second)
		if state, _ := s.State(); state != balancer.CanaryTrial {
			t.Fatalf("after its wait it is %s", state)
		}
		time.Sleep(time.Second)
		close(late)
		asked.Wait()
		if state, _ := s.State(); state != balancer.CanaryTrial || s.failed != 5 {
			t.Errorf("then it is %s, of %d failures", state, s.failed)
		}
	})
}

// The waits grow while the canary goes on failing, up to ten times the first, and are
// forgotten when it has not.
func TestCanaryWaitsLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSides(t, balancer.Config{}, "CANARY=100%", "CANARY_ABORT=errors>5%/10s")
		waits := func() (all []time.Duration) {
			start := time.Now()
			state := balancer.CanaryActive
			for len(all) < 12 {
				now, _ := s.State()
				if now == balancer.CanaryTrial && state == balancer.CanaryAborted {
					all = append(all, time.Since(start).Round(10*time.Second))
				}
				if now == balancer.CanaryAborted && state != now {
					start = time.Now()
				}
				state = now
				s.ask(get())
				time.Sleep(50 * time.Millisecond)
			}
			return all
		}
		s.canaryAnswers = failing
		var want []time.Duration
		for n := range 12 {
			want = append(want, time.Duration(min(n+1, 10))*10*time.Second)
		}
		if diff := cmp.Diff(want, waits()); diff != "" {
			t.Errorf("waits (-want +got):\n%s", diff)
		}
		s.canaryAnswers = ok
		s.askEach(50*time.Millisecond, 5*time.Minute)
		s.canaryAnswers, s.changes = failing, nil
		s.askEach(50*time.Millisecond, 10*time.Second)
		if want := "active to aborted: errors, for 10s;"; len(s.changes) == 0 || !strings.HasPrefix(s.changes[0], want) {
			t.Errorf("after it has stayed: %q", s.changes)
		}
	})
}

// Who asks for the canary gets it also when others do not, and whatever comes of that
// aborts nothing.
func TestCanaryForWhoAsksIsNotAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSides(t, balancer.Config{}, "CANARY=100%", "CANARY_HEADER=X-Canary", "CANARY_ABORT=errors>5%/10s")
		s.canaryAnswers = failing
		asking := func() int {
			r := get()
			r.Header.Set("X-Canary", "always")
			return s.ask(r)
		}
		for range 100 {
			if status := asking(); status != 500 {
				t.Fatalf("answered %d", status)
			}
		}
		if s.changes != nil {
			t.Fatalf("who asks aborts: %q", s.changes)
		}
		s.askEach(time.Millisecond, 10*time.Millisecond)
		if state, _ := s.State(); state != balancer.CanaryAborted || asking() != 500 {
			t.Errorf("a canary that is %s is not for who asks", state)
		}
	})
}

// Nor does what comes of asking for the stable backends say that these fail as often.
func TestCanaryIsAbortedWhateverIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSides(t, balancer.Config{}, "CANARY=50%", "CANARY_HEADER=X-Canary", "CANARY_BY=header:X-Turn", "CANARY_ABORT=errors>5%/10s")
		canary, stable := turn(t, true), turn(t, false)
		s.stableAnswers, s.canaryAnswers = failing, failing
		for range 100 {
			r := get()
			r.Header.Set("X-Canary", "never")
			s.ask(r)
		}
		s.stableAnswers = ok
		for range 10 {
			for _, key := range []string{canary, stable} {
				r := get()
				r.Header.Set("X-Turn", key)
				s.ask(r)
			}
		}
		want := []string{"active to aborted: errors, for 10s; 5 of 5 failed, 0 of 4"}
		if diff := cmp.Diff(want, s.changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}
