package balancer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/handler/config"
	"spangate/handler/fault"
)

// mirrored counts what becomes of copies.
type mirrored struct {
	*balancer.Mirror
	mu   sync.Mutex
	told map[string]int // "sent", or why not
}

func (m *mirrored) tell(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told[what]++
}

func (m *mirrored) all() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.told)
}

const bodyLimit = 1000

// newMirror returns a mirror before next, whose copies shadow gets.
func newMirror(t testing.TB, next, shadow http.RoundTripper, variables ...string) *mirrored {
	t.Helper()
	return newMirrorOf(t, bodyLimit, next, shadow, variables...)
}

// newMirrorOf returns one of bodies of that size.
func newMirrorOf(t testing.TB, bodyLimit config.Bytes, next, shadow http.RoundTripper, variables ...string) *mirrored {
	t.Helper()
	cfg := mirrorConfig(t, append([]string{"MIRROR_BACKENDS=http://shadow", "MIRROR=100%"}, variables...)...)
	m := &mirrored{told: map[string]int{}}
	pool := balancer.NewPoolOf(cfg.Pool(balancer.Config{}), balancer.Hooks{}, first, balancer.NewBackend("shadow", 1, shadow))
	m.Mirror = balancer.NewMirror(cfg, bodyLimit, pool, next, balancer.MirrorHooks{
		Sent:    func(context.Context) { m.tell("sent") },
		Dropped: func(why balancer.DropReason) { m.tell(string(why)) },
	})
	return m
}

func mirrorConfig(t testing.TB, variables ...string) balancer.MirrorConfig {
	t.Helper()
	var cfg struct{ Mirror balancer.MirrorConfig }
	if _, _, err := config.Load(&cfg, variables); err != nil {
		t.Fatal(err)
	}
	return cfg.Mirror
}

// end waits for all copies, and ends the mirror.
func (m *mirrored) end(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Run(ctx); err != nil {
		t.Error(err)
	}
	if n := m.MemoryInUse(); n != 0 {
		t.Errorf("%d bytes are in use by no copy", n)
	}
}

// reading is a backend that reads requests, and answers 200.
var reading = roundTripper(func(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
	}
	return ok(r)
})

func send(t testing.TB, rt http.RoundTripper, r *http.Request) {
	t.Helper()
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Error(err)
		return
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

// A copy is what the backend gets, and says what it is.
func TestMirrorCopies(t *testing.T) {
	got := make(chan string, 1)
	shown := func(r *http.Request) string {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%s %s of %s, as %s, mirror %q, trace %q, %d bytes: %s", r.Method, r.RequestURI, r.Host, r.Header.Get("Authorization"), r.Header["X-Mirror"], r.Header["Traceparent"], r.ContentLength, body)
	}
	var main string
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ContentLength = 0 // of chunks: -1
		main = shown(r)
	}))
	defer backend.Close()
	shadow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got <- shown(r) }))
	defer shadow.Close()
	to := func(url string) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(url, "http://")
			return http.DefaultTransport.RoundTrip(r)
		})
	}
	for _, test := range []struct {
		name, method, url, body string
		chunked                 bool
		want, main              string
	}{
		{"GET", "GET", "/a%2Fb?x=1;y", "", false,
			`GET /a%2Fb?x=1;y of example.com, as Bearer x, mirror ["true"], trace [], 0 bytes: `,
			`GET /a%2Fb?x=1;y of example.com, as Bearer x, mirror [], trace ["of the caller"], 0 bytes: `},
		{"a body", "POST", "/", "all of it", false,
			`POST / of example.com, as Bearer x, mirror ["true"], trace [], 9 bytes: all of it`,
			`POST / of example.com, as Bearer x, mirror [], trace ["of the caller"], 0 bytes: all of it`},
		{"a body in chunks", "POST", "/", "all of it", true,
			`POST / of example.com, as Bearer x, mirror ["true"], trace [], 9 bytes: all of it`,
			`POST / of example.com, as Bearer x, mirror [], trace ["of the caller"], 0 bytes: all of it`},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMirror(t, to(backend.URL), to(shadow.URL), "MIRROR_METHODS=GET,POST")
			r := httptest.NewRequest(test.method, test.url, strings.NewReader(test.body))
			r.RequestURI = ""
			r.Header.Set("Authorization", "Bearer x")
			r.Header.Set("Traceparent", "of the caller")
			if test.body == "" {
				r.Body = nil
			}
			if test.chunked {
				r.ContentLength = -1
			}
			send(t, m, r)
			if diff := cmp.Diff(test.want, <-got); diff != "" {
				t.Errorf("the copy (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.main, main); diff != "" {
				t.Errorf("the request (-want +got):\n%s", diff)
			}
			m.end(t)
			if want := map[string]int{"sent": 1}; !maps.Equal(m.all(), want) {
				t.Errorf("told %v", m.all())
			}
		})
	}
}

// Nobody waits for a mirror that hangs, and no more is kept for it than may be: were a
// request to wait, it would for ever, as the mirror does not go on before all are
// answered.
func TestMirrorThatHangs(t *testing.T) {
	release := make(chan struct{})
	var mu sync.Mutex
	under, most := 0, 0
	shadow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		under++
		most = max(most, under)
		mu.Unlock()
		<-release
		mu.Lock()
		under--
		mu.Unlock()
	}))
	defer shadow.Close()
	hanging := roundTripper(func(r *http.Request) (*http.Response, error) {
		r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(shadow.URL, "http://")
		return http.DefaultTransport.RoundTrip(r)
	})
	const limit, requests = 1 << 17, 1000
	m := newMirror(t, reading, hanging, "MIRROR_METHODS=GET,PUT", "MIRROR_TIMEOUT=1h", "MIRROR_MAX_CONCURRENT=3", fmt.Sprint("MIRROR_MAX_MEMORY=", limit))
	for i := range requests {
		r := get()
		if i%2 == 0 {
			r = httptest.NewRequest("PUT", "/", strings.NewReader(strings.Repeat("x", bodyLimit)))
		}
		send(t, m, r)
		if n := m.MemoryInUse(); n > limit {
			t.Fatalf("%d bytes are in use", n)
		}
	}
	if m.Waiting() == 0 {
		t.Error("no copy waits")
	}
	close(release)
	m.end(t)
	told := m.all()
	if told["memory"] < requests*9/10 || told["sent"]+told["memory"]+told["shutdown"] != requests || most > 3 {
		t.Errorf("told %v, %d at once", told, most)
	}
}

func TestMirroredBodies(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("a part"), failingReader{})
	ignoring := roundTripper(ok)
	for _, test := range []struct {
		name   string
		body   io.Reader
		length int64
		next   http.RoundTripper
		limit  string
		want   string
	}{
		{"none", nil, 0, reading, "", "sent"},
		{"as large as may be", strings.NewReader(strings.Repeat("x", bodyLimit)), bodyLimit, reading, "", "sent"},
		{"larger", strings.NewReader(strings.Repeat("x", bodyLimit+1)), bodyLimit + 1, reading, "", "body_too_large"},
		{"in chunks", strings.NewReader(strings.Repeat("x", bodyLimit)), -1, reading, "", "sent"},
		{"in chunks, larger", strings.NewReader(strings.Repeat("x", bodyLimit+1)), -1, reading, "", "body_too_large"},
		{"broken off", broken, 100, reading, "", "body_incomplete"},
		{"answered without", strings.NewReader("unread"), 6, ignoring, "", "body_incomplete"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMirror(t, test.next, reading, "MIRROR_METHODS=PUT")
				ctx, cancel := context.WithCancel(t.Context())
				r := httptest.NewRequestWithContext(ctx, "PUT", "/", test.body)
				if r.ContentLength = test.length; test.body == nil {
					r.Body = nil
				}
				if resp, err := m.RoundTrip(r); err == nil {
					resp.Body.Close()
				}
				cancel() // as Forward does when it returns
				synctest.Wait()
				if want := map[string]int{test.want: 1}; !maps.Equal(m.all(), want) {
					t.Errorf("told %v, want %v", m.all(), want)
				}
				m.end(t)
			})
		})
	}
}

// What a body grows to, and what it grows from, are there at once, and both count.
func TestMirroredBodiesGrowWithinTheMemory(t *testing.T) {
	for kib, want := range map[int]string{16: "sent", 20: "sent", 40: "memory"} {
		synctest.Test(t, func(t *testing.T) {
			m := newMirrorOf(t, 60<<10, reading, reading, "MIRROR_METHODS=PUT", "MIRROR_MAX_MEMORY=65536")
			r := httptest.NewRequestWithContext(t.Context(), "PUT", "/", iotest.OneByteReader(strings.NewReader(strings.Repeat("x", kib<<10))))
			r.ContentLength = -1
			send(t, m, r)
			synctest.Wait()
			if got := m.all(); !maps.Equal(got, map[string]int{want: 1}) {
				t.Errorf("%d KiB: told %v, want %s", kib, got, want)
			}
			m.end(t)
		})
	}
}

// What is tried again is copied once, and what is read of its body again is not.
func TestMirrorIsOutsideOfRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies []string
		shadow := roundTripper(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			bodies = append(bodies, string(body))
			if err != nil {
				return nil, err
			}
			return answering(503).RoundTrip(r)
		})
		pool := balancer.NewPoolOf(withRetries(t), balancer.Hooks{}, first, balancer.NewBackend("a", 1, &scripted{script: []string{"503", "500", "200"}}))
		m := newMirror(t, balancer.RetryOf(pool), shadow, "MIRROR_METHODS=PUT")
		send(t, m, httptest.NewRequest("PUT", "/", strings.NewReader("all of it")))
		synctest.Wait()
		if diff := cmp.Diff([]string{"all of it"}, bodies); diff != "" {
			t.Errorf("the mirror got (-want +got):\n%s", diff)
		}
		m.end(t)
	})
}

func TestMirrorShare(t *testing.T) {
	for share, want := range map[string]float64{"1%": 0.01, "25%": 0.25, "100%": 1} {
		t.Run(share, func(t *testing.T) {
			m := newMirror(t, reading, reading, "MIRROR="+share, "MIRROR_MAX_MEMORY=1GiB")
			const requests = 5000
			for range requests {
				send(t, m, get())
			}
			m.end(t)
			chance := 5 * math.Sqrt(want*(1-want)/requests)
			if got := float64(m.all()["sent"]) / requests; math.Abs(got-want) > chance {
				t.Errorf("%v of the requests were copied, want %v, give or take %v; told %v", got, want, chance, m.all())
			}
		})
	}
}

func TestMirrorOf(t *testing.T) {
	for _, test := range []struct {
		name, method string
		fields       http.Header
		methods      string
		want         bool
	}{
		{"GET", "GET", nil, "", true},
		{"HEAD", "HEAD", nil, "", true},
		{"OPTIONS", "OPTIONS", nil, "", true},
		{"QUERY", "QUERY", nil, "", true},
		{"POST", "POST", nil, "", false},
		{"DELETE", "DELETE", nil, "", false},
		{"POST, as asked for", "POST", nil, "MIRROR_METHODS=POST", true},
		{"GET, as not asked for", "GET", nil, "MIRROR_METHODS=POST", false},
		{"a copy", "GET", http.Header{"X-Mirror": {"true"}}, "", false},
		{"a copy, written otherwise", "GET", http.Header{"X_mirror": {"true"}}, "", false},
		{"another protocol", "GET", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMirror(t, reading, reading, slices.DeleteFunc([]string{test.methods}, func(s string) bool { return s == "" })...)
			r := httptest.NewRequest(test.method, "/", nil)
			maps.Copy(r.Header, test.fields)
			send(t, m, r)
			m.end(t)
			if got := m.all()["sent"] == 1; got != test.want || len(m.all()) > 1 {
				t.Errorf("told %v", m.all())
			}
		})
	}
}

// hangingOn is a backend that answers nobody.
var hangingOn = roundTripper(func(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
})

// A copy lives for so long, and one whose time is over while it waits is not sent.
func TestMirrorTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirror(t, reading, hangingOn, "MIRROR_TIMEOUT=2s", "MIRROR_MAX_CONCURRENT=1")
		start := time.Now()
		for range 3 {
			send(t, m, get())
		}
		if time.Since(start) != 0 || m.Waiting() != 2 {
			t.Errorf("%v later %d wait", time.Since(start), m.Waiting())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if want := map[string]int{"sent": 1, "waited": 2}; !maps.Equal(m.all(), want) {
			t.Errorf("told %v, want %v", m.all(), want)
		}
		m.end(t)
	})
}

func TestMirrorWithoutABackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cfg balancer.MirrorConfig
		cfg.Share, cfg.Methods, cfg.Timeout, cfg.AtOnce, cfg.Memory = 1, balancer.Methods{"GET"}, time.Second, 1, 1<<20
		b := balancer.NewBackend("shadow", 1, reading)
		pool := balancer.NewPoolOf(balancer.Config{}, balancer.Hooks{}, first, b)
		pool.Probed(b, errors.New("not fit"))
		m := &mirrored{told: map[string]int{}}
		m.Mirror = balancer.NewMirror(cfg, bodyLimit, pool, reading, balancer.MirrorHooks{Dropped: func(why balancer.DropReason) { m.tell(string(why)) }})
		send(t, m, get())
		synctest.Wait()
		if want := map[string]int{string(fault.NoHealthyBackend): 1}; !maps.Equal(m.all(), want) {
			t.Errorf("told %v, want %v", m.all(), want)
		}
		m.end(t)
	})
}

// When the proxy stops copies have a second to come to an end; those that wait are sent
// in it, and what has not ended then does. Nothing stays behind.
func TestMirrorDrains(t *testing.T) {
	for _, test := range []struct {
		name  string
		takes time.Duration
		want  map[string]int
		took  time.Duration
	}{
		{"nothing to wait for", 0, map[string]int{"sent": 4}, 0},
		{"two after the other", 300 * time.Millisecond, map[string]int{"sent": 4}, 600 * time.Millisecond},
		{"too slow", 700 * time.Millisecond, map[string]int{"sent": 4}, time.Second},
		{"hangs", time.Hour, map[string]int{"sent": 2, "shutdown": 2}, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMirror(t, reading, roundTripper(func(r *http.Request) (*http.Response, error) {
					select {
					case <-time.After(test.takes):
						return ok(r)
					case <-r.Context().Done():
						return nil, context.Cause(r.Context())
					}
				}), "MIRROR_TIMEOUT=1m", "MIRROR_MAX_CONCURRENT=2")
				for range 4 {
					send(t, m, get())
				}
				start := time.Now()
				m.end(t)
				if took := time.Since(start); took != test.took || !maps.Equal(m.all(), test.want) {
					t.Errorf("took %v, told %v", took, m.all())
				}
				send(t, m, get())
				if got := m.all()["shutdown"]; got != test.want["shutdown"]+1 {
					t.Errorf("one that came later: told %v", m.all())
				}
			})
		})
	}
}

func TestMirrorFaults(t *testing.T) {
	for _, test := range []struct {
		name      string
		variables []string
		want      string
	}{
		{"a share of nothing", []string{"MIRROR=5%"}, "MIRROR: is of no use without MIRROR_BACKENDS"},
		{"backends of no share", []string{"MIRROR_BACKENDS=http://shadow"}, "MIRROR_BACKENDS: is of no use without MIRROR"},
		{"methods of nothing", []string{"MIRROR_METHODS=POST"}, "MIRROR_METHODS: is of no use without MIRROR"},
		{"several at once", []string{"MIRROR_BACKENDS=http://shadow", "MIRROR=5%", "MIRROR_METHODS=get,TRACE,POST,POST", "MIRROR_MAX_MEMORY=1KiB", "MIRROR_TIMEOUT=0s"},
			`MIRROR_METHODS: methods tell upper from lower case: write GET
MIRROR_METHODS: TRACE is not forwarded
MIRROR_METHODS: POST stands twice
MIRROR_TIMEOUT="0s": must be at least 1ms
MIRROR_MAX_MEMORY="1KiB": must be at least 65536`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var cfg struct{ Mirror balancer.MirrorConfig }
			got := ""
			if _, _, err := config.Load(&cfg, test.variables); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
