package jwks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"spangate/policy/jwks"
)

// issuer answers with what it is told to, in virtual time.
type issuer struct {
	mu      sync.Mutex
	keys    []byte
	header  http.Header
	status  int
	delay   time.Duration
	err     error
	fetches []time.Time
}

func (i *issuer) set(change func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i)
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.fetches)
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.fetches = append(i.fetches, time.Now())
	delay := i.delay
	i.mu.Unlock()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(delay):
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err != nil {
		return nil, i.err
	}
	status := i.status
	if status == 0 {
		status = http.StatusOK
	}
	return &http.Response{StatusCode: status, Header: i.header, Body: io.NopCloser(strings.NewReader(string(i.keys)))}, nil
}

// run starts a source over the issuer.
func (i *issuer) run(t *testing.T, cfg jwks.Config) (*jwks.Source, *fetches) {
	t.Helper()
	cfg.URL, cfg.Transport = "https://issuer.example/keys", i
	source := jwks.NewSource(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	var told fetches
	done := make(chan struct{})
	go func() {
		defer close(done)
		source.Run(ctx, told.add)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return source, &told
}

type fetches struct {
	mu  sync.Mutex
	all []jwks.Fetched
}

func (f *fetches) add(fetched jwks.Fetched) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, fetched)
}

func (f *fetches) last() jwks.Fetched {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all[len(f.all)-1]
}

// want looks a key up and reports how long that took.
func want(t *testing.T, s *jwks.Source, id string, err error, within time.Duration) {
	t.Helper()
	start := time.Now()
	public, set, got := s.Key(t.Context(), id, "ES256")
	if !errors.Is(got, err) || (err == nil) != (public != nil) || err == nil && set != s.Current() {
		t.Errorf("Key(%q) gives %v, want %v", id, got, err)
	}
	if took := time.Since(start); took > within {
		t.Errorf("Key(%q) took %v, want at most %v", id, took, within)
	}
}

func named(ids ...string) []byte {
	var keys []jwk
	for _, id := range ids {
		keys = append(keys, ecKey().with("kid", id))
	}
	return document(keys...)
}

func TestRequestsWaitForTheFirstFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{keys: named("a"), delay: time.Second}
		s, told := i.run(t, jwks.Config{})
		want(t, s, "a", nil, time.Second)
		want(t, s, "a", nil, 0)
		synctest.Wait()
		if f := told.last(); f.Err != nil || !f.Changed || f.Set.Len() != 1 || i.count() != 1 {
			t.Errorf("told %+v after %d fetches", f, i.count())
		}
	})
}

func TestSlowIssuerAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{keys: named("a"), delay: time.Hour}
		s, told := i.run(t, jwks.Config{})
		want(t, s, "a", jwks.ErrUnavailable, 2*time.Second)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if f := told.last(); !errors.Is(f.Err, context.DeadlineExceeded) || f.Set != nil {
			t.Errorf("told %+v, want that 5 s are over", f)
		}
	})
}

func TestIssuerDownAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{keys: named("a"), err: errors.New("connection refused")}
		s, _ := i.run(t, jwks.Config{})
		synctest.Wait()
		want(t, s, "a", jwks.ErrUnavailable, 0) // at once: it is known
		time.Sleep(time.Minute)
		if n := i.count(); n < 5 || n > 8 {
			t.Errorf("%d fetches in the first minute, want that they become rarer", n)
		}
		i.set(func(i *issuer) { i.err = nil })
		time.Sleep(time.Minute)
		want(t, s, "a", nil, 0)
	})
}

func TestRequestBringsBackTheIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{keys: named("a"), err: errors.New("connection refused")}
		s, _ := i.run(t, jwks.Config{})
		time.Sleep(65 * time.Second) // the next fetch would be due in most of a minute
		synctest.Wait()
		time.Sleep(jwks.Cooldown)
		i.set(func(i *issuer) { i.err = nil })
		want(t, s, "a", nil, 0)
	})
}

func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{keys: named("old")}
		s, told := i.run(t, jwks.Config{})
		want(t, s, "old", nil, 0)
		time.Sleep(jwks.Cooldown)
		i.set(func(i *issuer) { i.keys = named("old", "new") })
		want(t, s, "new", nil, 0) // a request that needs it brings it
		want(t, s, "old", nil, 0)
		i.set(func(i *issuer) { i.keys = named("new") })
		want(t, s, "old", nil, 0) // until the next fetch
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		want(t, s, "old", jwks.ErrUnknownKey, 0)
		want(t, s, "new", nil, 0)
		if f := told.last(); f.Err != nil || f.Set.Len() != 1 {
			t.Errorf("told %+v", f)
		}
	})
}

func TestStampede(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{keys: named("a"), delay: 100 * time.Millisecond}
		s, _ := i.run(t, jwks.Config{})
		want(t, s, "a", nil, time.Second)
		time.Sleep(jwks.Cooldown)
		before := i.count()
		for round := range 3 {
			var all sync.WaitGroup
			for n := range 100 {
				all.Go(func() { want(t, s, fmt.Sprintf("made-up-%d-%d", round, n), jwks.ErrUnknownKey, time.Second) })
			}
			all.Wait()
		}
		if n := i.count() - before; n != 1 {
			t.Errorf("300 unknown keys caused %d fetches, want 1", n)
		}
		// Over a longer time, one per cooldown.
		for range 600 {
			want(t, s, "made-up", jwks.ErrUnknownKey, time.Second)
			time.Sleep(100 * time.Millisecond)
		}
		if n := i.count() - before; n < 10 || n > 13 {
			t.Errorf("unknown keys for a minute caused %d fetches, want 12", n)
		}
	})
}

func TestWrongAlgorithmFetchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{keys: named("a")}
		s, _ := i.run(t, jwks.Config{})
		want(t, s, "a", nil, 0)
		time.Sleep(time.Minute)
		if _, _, err := s.Key(t.Context(), "a", "RS256"); !errors.Is(err, jwks.ErrAlgorithm) || i.count() != 1 {
			t.Errorf("%v after %d fetches", err, i.count())
		}
	})
}

// Keys that are left out are news when they change, and no sooner.
func TestIgnoredKeysAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		symmetric := jwk{"kty": "oct", "kid": "shared"}
		i := &issuer{keys: document(ecKey(), symmetric)}
		_, told := i.run(t, jwks.Config{Refresh: 10 * time.Minute})
		news := func(keys ...jwk) string {
			if keys != nil {
				i.set(func(i *issuer) { i.keys = document(keys...) })
				time.Sleep(10 * time.Minute)
			}
			synctest.Wait()
			return fmt.Sprint(told.last().Ignored)
		}
		const shared, twice = `key 2 is ignored: its type is "oct" (its id is "shared")`, `key 2 is ignored: so is another one like it (its id is "ec")`
		for _, step := range []struct {
			name, want string
			keys       []jwk
		}{
			{"at first", "[" + shared + "]", nil},
			{"the same", "[]", []jwk{ecKey(), symmetric}},
			{"another key beside it", "[]", []jwk{ecKey().with("kid", "new"), symmetric}},
			{"none", "[]", []jwk{ecKey()}},
			{"again", "[" + shared + "]", []jwk{ecKey(), symmetric}},
			{"one without an id", `[key 2 is ignored: its use is "enc"]`, []jwk{ecKey(), ecKey().with("kid", nil, "use", "enc")}},
			{"two that are alike", "[" + twice + "]", []jwk{ecKey(), ecKey()}},
			{"two of one id and two types", "[]", []jwk{ecKey(), edKey().with("kid", "ec")}},
		} {
			if got := news(step.keys...); got != step.want {
				t.Errorf("%s: told of %s, want %s", step.name, got, step.want)
			}
		}
	})
}

func TestStaleKeysAreUsed(t *testing.T) {
	for name, fail := range map[string]func(*issuer){
		"down":          func(i *issuer) { i.err = errors.New("connection refused") },
		"an error page": func(i *issuer) { i.status, i.keys = 500, []byte("oops") },
		"not found":     func(i *issuer) { i.status = 404 },
		"moved":         func(i *issuer) { i.status, i.header = 302, http.Header{"Location": {"https://elsewhere.example/"}} },
		"no JSON":       func(i *issuer) { i.keys = []byte("<html>") },
		"no keys":       func(i *issuer) { i.keys = []byte(`{"keys":[]}`) },
		"too large":     func(i *issuer) { i.keys = append(i.keys, make([]byte, 2<<20)...) },
		"slow":          func(i *issuer) { i.delay = time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := &issuer{keys: named("a")}
				s, told := i.run(t, jwks.Config{Refresh: 10 * time.Minute, Stale: 2 * time.Hour})
				want(t, s, "a", nil, 0)
				i.set(fail)
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if f := told.last(); f.Err == nil || f.Set == nil || f.Changed {
					t.Errorf("told %+v, want an error beside the keys", f)
				}
				want(t, s, "a", nil, 0)
				want(t, s, "b", jwks.ErrUnavailable, 2*time.Second) // who knows?
				time.Sleep(12 * time.Minute)
				want(t, s, "a", jwks.ErrUnavailable, 2*time.Second)
				i.set(func(i *issuer) { i.keys, i.header, i.status, i.delay, i.err = named("a"), nil, 0, 0, nil })
				time.Sleep(time.Minute + 5*time.Second)
				want(t, s, "a", nil, 0)
			})
		})
	}
}

func TestCacheControl(t *testing.T) {
	for name, test := range map[string]struct {
		lines    []string
		min, max time.Duration
	}{
		"none":          {nil, 9 * time.Minute, 10 * time.Minute},
		"shorter":       {[]string{"public, max-age=120"}, 108 * time.Second, 2 * time.Minute},
		"much shorter":  {[]string{"max-age=1"}, 54 * time.Second, time.Minute},
		"longer":        {[]string{"max-age=86400"}, 9 * time.Minute, 10 * time.Minute},
		"no-store":      {[]string{"No-Store"}, 54 * time.Second, time.Minute},
		"several lines": {[]string{"public", `Max-Age="180", must-revalidate`}, 162 * time.Second, 3 * time.Minute},
		"nonsense":      {[]string{"max-age=-5, max-age=x, max-age=99999999999999999999"}, 9 * time.Minute, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := &issuer{keys: named("a"), header: http.Header{"Cache-Control": test.lines}}
				_, told := i.run(t, jwks.Config{Refresh: 10 * time.Minute})
				synctest.Wait()
				if next := told.last().Next; next < test.min || next > test.max {
					t.Errorf("the next fetch is in %v, want %v to %v", next, test.min, test.max)
				}
				time.Sleep(test.min - time.Second)
				if i.count() != 1 {
					t.Errorf("%d fetches, want 1", i.count())
				}
				time.Sleep(test.max - test.min + 2*time.Second)
				if i.count() != 2 {
					t.Errorf("%d fetches, want 2", i.count())
				}
			})
		})
	}
}

func TestSameDocumentIsTheSameSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{keys: named("a")}
		s, told := i.run(t, jwks.Config{})
		synctest.Wait()
		set := s.Current()
		time.Sleep(time.Hour)
		if s.Current() != set || set == nil || told.last().Changed || i.count() < 6 {
			t.Errorf("another set after %d fetches of the same", i.count())
		}
	})
}

func TestRequestThatIsCancelledDoesNotWait(t *testing.T) {
	s := jwks.NewSource(jwks.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Key(ctx, "a", "ES256"); !errors.Is(err, jwks.ErrUnavailable) {
		t.Error(err)
	}
}

// A real server, and the client that is used for it.
func TestFetch(t *testing.T) {
	var elsewhere atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.Method != "GET" || user != "me" || password != "s3cret" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Write(named("a"))
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) })
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, _ *http.Request) { elsewhere.Store(true); w.Write(named("a")) })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9999")
		w.Write(named("a"))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	gone := httptest.NewServer(mux)
	gone.Close()
	credentials := strings.Replace(server.URL, "//", "//me:s3cret@", 1)

	for name, test := range map[string]struct{ url, err string }{
		"right":        {credentials + "/keys", ""},
		"wrong status": {server.URL + "/keys", "answered 403"},
		"moved":        {credentials + "/moved", "answered 302"},
		"endless":      {credentials + "/endless", "larger than 1024 KiB"},
		"cut":          {credentials + "/cut", "unexpected EOF"},
		"gone":         {strings.Replace(gone.URL, "//", "//me:s3cret@", 1) + "/keys?token=s3cret", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := jwks.NewSource(jwks.Config{URL: jwks.URL(test.url)})
			s.Run(ctx, func(f jwks.Fetched) {
				cancel()
				if test.err == "" {
					if f.Err != nil || f.Set.Len() != 1 {
						t.Errorf("told %+v", f)
					}
					return
				}
				if f.Err == nil || !strings.Contains(f.Err.Error(), test.err) || strings.Contains(f.Err.Error(), "s3cret") {
					t.Errorf("error %v, want %q", f.Err, test.err)
				}
			})
		})
	}
	if elsewhere.Load() {
		t.Error("a redirect was followed")
	}
}

// Whoever wants the same keys in the same way has them fetched once.
func TestSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{keys: []byte(`{"keys":[]}`)}
		all := jwks.Sources{}
		of := func(refresh time.Duration) *jwks.Source {
			return all.Source(jwks.Config{URL: "https://issuer.example/keys", Refresh: refresh, Transport: i})
		}
		first := of(time.Hour)
		if of(time.Hour) != first || of(time.Minute) == first {
			t.Error("who wants the same keys in the same way has another source, or who wants them in another way the same")
		}
		ctx, cancel := context.WithCancel(t.Context())
		var told fetches
		var running sync.WaitGroup
		for range 3 {
			running.Go(func() { of(time.Hour).Run(ctx, told.add) })
		}
		synctest.Wait()
		if i.count() != 1 {
			t.Errorf("fetched %d times, want once", i.count())
		}
		cancel()
		running.Wait()
	})
}
