package policy_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/field"
	"spangate/policy"
)

// crowd sends requests to a limit and keeps a record of what becomes of them.
type crowd struct {
	h      http.Handler
	limit  *policy.Concurrency
	start  time.Time
	mu     sync.Mutex
	record []string
	waits  []time.Duration
	wg     sync.WaitGroup
}

func newCrowd(cfg policy.ConcurrencyConfig) *crowd {
	c := &crowd{start: time.Now()}
	reject := func(w http.ResponseWriter, r *http.Request, why fault.Refusal) {
		handler.AnswerOf(r).Apply(w.Header())
		c.log("%s %s %d %s", r.URL.Path[1:], why.Reason, why.Status, w.Header().Get("Retry-After"))
	}
	c.limit = policy.NewConcurrency(cfg, reject, policy.Hooks{Waited: func(_ context.Context, d time.Duration) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.waits = append(c.waits, d)
	}})
	c.h = c.limit.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c.log("%s in", r.URL.Path[1:])
		took, _ := time.ParseDuration(r.Header.Get("Take"))
		<-time.After(took)
	}))
	return c
}

func (c *crowd) log(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.record = append(c.record, strings.TrimSpace(fmt.Sprintf("%v ", time.Since(c.start))+fmt.Sprintf(format, args...)))
}

// send sends a request that takes so long once it is let in, and returns when
// all is still.
func (c *crowd) send(ctx context.Context, name string, took time.Duration) {
	r := httptest.NewRequestWithContext(ctx, "GET", "/"+name, nil)
	r.Header.Set("Take", took.String())
	c.wg.Go(func() { c.h.ServeHTTP(httptest.NewRecorder(), identified(r)) })
	synctest.Wait()
}

func TestConcurrency(t *testing.T) {
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		cfg  policy.ConcurrencyConfig
		do   func(ctx context.Context, c *crowd)
		want []string
	}{
		"room for all": {
			cfg: policy.ConcurrencyConfig{Max: 2},
			do: func(ctx context.Context, c *crowd) {
				c.send(ctx, "a", ms)
				c.send(ctx, "b", ms)
				<-time.After(ms)
				synctest.Wait()
				c.send(ctx, "c", ms)
			},
			want: []string{"0s a in", "0s b in", "1ms c in"},
		},
		"no queue": {
			cfg: policy.ConcurrencyConfig{Max: 1, QueueWait: time.Second},
			do: func(ctx context.Context, c *crowd) {
				c.send(ctx, "a", ms)
				c.send(ctx, "b", ms)
			},
			want: []string{"0s a in", "0s b queue_full 503 1"},
		},
		"the oldest first": {
			cfg: policy.ConcurrencyConfig{Max: 1, Queue: 9, QueueWait: time.Second},
			do: func(ctx context.Context, c *crowd) {
				for _, name := range []string{"a", "b", "c", "d"} {
					c.send(ctx, name, 10*ms)
				}
			},
			want: []string{"0s a in", "10ms b in", "20ms c in", "30ms d in"},
		},
		"the newest first once the oldest has waited for a tenth": {
			cfg: policy.ConcurrencyConfig{Max: 1, Queue: 9, QueueWait: time.Second},
			do: func(ctx context.Context, c *crowd) {
				for _, name := range []string{"a", "b", "c", "d", "e"} {
					c.send(ctx, name, 60*ms)
				}
			},
			// At 60 ms the oldest is let in; at 120 ms the next one has waited for too
			// long, and so have those that follow.
			want: []string{"0s a in", "60ms b in", "120ms e in", "180ms d in", "240ms c in"},
		},
		"the oldest first again once the queue has got shorter": {
			cfg: policy.ConcurrencyConfig{Max: 1, Queue: 9, QueueWait: time.Second},
			do: func(ctx context.Context, c *crowd) {
				c.send(ctx, "a", 150*ms)
				c.send(ctx, "b", 10*ms)
				<-time.After(140 * ms)
				c.send(ctx, "c", 20*ms)
				c.send(ctx, "d", 10*ms)
				<-time.After(45 * ms) // a has left at 150, d at 160, c at 180, b at 190
				c.send(ctx, "e", 10*ms)
				c.send(ctx, "f", 10*ms)
				c.send(ctx, "g", 10*ms)
			},
			want: []string{"0s a in", "150ms d in", "160ms c in", "180ms b in", "190ms e in", "200ms f in", "210ms g in"},
		},
		"a full queue": {
			cfg: policy.ConcurrencyConfig{Max: 1, Queue: 1, QueueWait: time.Second},
			do: func(ctx context.Context, c *crowd) {
				c.send(ctx, "a", 90*ms)
				c.send(ctx, "b", ms)
				c.send(ctx, "c", ms)
			},
			want: []string{"0s a in", "0s c queue_full 503 1", "90ms b in"},
		},
		"a full queue of old ones makes room": {
			cfg: policy.ConcurrencyConfig{Max: 1, Queue: 2, QueueWait: time.Second},
			do: func(ctx context.Context, c *crowd) {
				c.send(ctx, "a", 300*ms)
				c.send(ctx, "b", ms)
				c.send(ctx, "c", ms)
				<-time.After(100 * ms)
				c.send(ctx, "d", ms)
				c.send(ctx, "e", ms)
				c.send(ctx, "f", ms) // d has not waited for long
			},
			want: []string{"0s a in", "100ms b queue_full 503 1", "100ms c queue_full 503 1", "100ms f queue_full 503 1", "300ms e in", "301ms d in"},
		},
		"too long a wait": {
			cfg: policy.ConcurrencyConfig{Max: 1, Queue: 9, QueueWait: time.Second},
			do: func(ctx context.Context, c *crowd) {
				c.send(ctx, "a", 2*time.Second)
				c.send(ctx, "b", ms)
				<-time.After(500 * ms)
				c.send(ctx, "c", ms)
			},
			want: []string{"0s a in", "1s b queue_timeout 503 1", "1.5s c queue_timeout 503 1"},
		},
		"a deadline amid the wait": {
			cfg: policy.ConcurrencyConfig{Max: 1, Queue: 9, QueueWait: time.Second},
			do: func(ctx context.Context, c *crowd) {
				c.send(ctx, "a", 500*ms)
				soon, cancel := context.WithTimeout(ctx, 50*ms)
				defer cancel()
				c.send(soon, "b", ms)
				c.send(ctx, "c", ms)
				<-time.After(100 * ms)
			},
			want: []string{"0s a in", "50ms b deadline 504", "500ms c in"},
		},
		"a deadline that has passed": {
			cfg: policy.ConcurrencyConfig{Max: 1, Queue: 9, QueueWait: time.Second},
			do: func(ctx context.Context, c *crowd) {
				c.send(ctx, "a", ms)
				past, cancel := context.WithDeadline(ctx, time.Now())
				defer cancel()
				c.send(past, "b", ms)
			},
			want: []string{"0s a in", "0s b deadline 504"},
		},
		"a client that goes away": {
			cfg: policy.ConcurrencyConfig{Max: 1, Queue: 1, QueueWait: time.Second},
			do: func(ctx context.Context, c *crowd) {
				c.send(ctx, "a", 500*ms)
				gone, leave := context.WithCancel(ctx)
				c.send(gone, "b", ms)
				<-time.After(20 * ms)
				leave()
				synctest.Wait()
				c.send(ctx, "c", ms) // there is room again
			},
			want: []string{"0s a in", "20ms b client_gone 499", "500ms c in"},
		},
		"one that went away before": {
			cfg: policy.ConcurrencyConfig{Max: 1, Queue: 1, QueueWait: time.Second},
			do: func(ctx context.Context, c *crowd) {
				c.send(ctx, "a", ms)
				gone, leave := context.WithCancel(ctx)
				leave()
				c.send(gone, "b", ms)
			},
			want: []string{"0s a in", "0s b client_gone 499"},
		},
		"from the middle of the queue": {
			cfg: policy.ConcurrencyConfig{Max: 1, Queue: 9, QueueWait: time.Second},
			do: func(ctx context.Context, c *crowd) {
				c.send(ctx, "a", 10*ms)
				c.send(ctx, "b", 10*ms)
				gone, leave := context.WithCancel(ctx)
				c.send(gone, "c", ms)
				c.send(ctx, "d", 10*ms)
				leave()
				synctest.Wait()
			},
			want: []string{"0s a in", "0s c client_gone 499", "10ms b in", "20ms d in"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(test.cfg)
				test.do(t.Context(), c)
				c.wg.Wait()
				if diff := cmp.Diff(test.want, c.record); diff != "" {
					t.Errorf("what became of them (-want +got):\n%s", diff)
				}
				if c.limit.Active() != 0 || c.limit.Queued() != 0 {
					t.Errorf("%d active and %d queued are left", c.limit.Active(), c.limit.Queued())
				}
			})
		})
	}
}

func TestConcurrencyTellsWhatItHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(policy.ConcurrencyConfig{Max: 2, Queue: 3, QueueWait: time.Second})
		var got []string
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			c.send(t.Context(), name, 30*time.Millisecond)
			got = append(got, fmt.Sprint(c.limit.Active(), "+", c.limit.Queued()))
		}
		if diff := cmp.Diff([]string{"1+0", "2+0", "2+1", "2+2", "2+3", "2+3"}, got); diff != "" {
			t.Errorf("active and queued (-want +got):\n%s", diff)
		}
		c.wg.Wait()
		want := []time.Duration{30 * time.Millisecond, 30 * time.Millisecond, 60 * time.Millisecond}
		if slices.Sort(c.waits); !slices.Equal(c.waits, want) {
			t.Errorf("waits %v, want %v", c.waits, want)
		}
	})
}

func TestConcurrencyOff(t *testing.T) {
	if policy.NewConcurrency(policy.ConcurrencyConfig{Queue: 9, QueueWait: time.Second}, nil, policy.Hooks{}) != nil {
		t.Error("a limit of 0 is not off")
	}
}

func TestConcurrencyOutlivesAPanic(t *testing.T) {
	limit := policy.NewConcurrency(policy.ConcurrencyConfig{Max: 1}, nil, policy.Hooks{})
	func() {
		defer func() { recover() }()
		limit.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}()
	if limit.Active() != 0 {
		t.Error("the slot is lost")
	}
}

// Twice as much comes in as can be handled. Most of what is handled must not
// have waited for long, though all could have waited for as long as they may.
func TestConcurrencyUnderPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const service, slots, queue = 100 * time.Millisecond, 10, 100 // 100 a second
		var mu sync.Mutex
		var waits []time.Duration
		refused := 0
		limit := policy.NewConcurrency(policy.ConcurrencyConfig{Max: slots, Queue: queue, QueueWait: time.Second},
			func(http.ResponseWriter, *http.Request, fault.Refusal) { mu.Lock(); refused++; mu.Unlock() }, policy.Hooks{})
		h := limit.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			waits = append(waits, time.Since(r.Context().Value(sentAt{}).(time.Time)))
			mu.Unlock()
			<-time.After(service)
		}))
		var wg sync.WaitGroup
		for range 200 * 20 { // 20 seconds
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), sentAt{}, time.Now()), "GET", "/", nil)
			wg.Go(func() { h.ServeHTTP(httptest.NewRecorder(), identified(r)) })
			<-time.After(5 * time.Millisecond)
		}
		wg.Wait()
		slices.Sort(waits)
		median, p90 := waits[len(waits)/2], waits[len(waits)*9/10]
		if len(waits) < 2000 || median > 50*time.Millisecond || p90 > 200*time.Millisecond {
			t.Errorf("%d handled, %d refused, waits: median %v, p90 %v", len(waits), refused, median, p90)
		}
		t.Logf("%d handled, %d refused, waits: median %v, p90 %v, longest %v", len(waits), refused, median, p90, waits[len(waits)-1])
	})
}

type sentAt struct{}

// Whatever happens at once, no more are let in than may be, and no slot is lost.
func TestConcurrencyKeepsCount(t *testing.T) {
	const slots = 4
	var active, most, let, refused atomic.Int64
	limit := policy.NewConcurrency(policy.ConcurrencyConfig{Max: slots, Queue: 8, QueueWait: 2 * time.Millisecond},
		func(http.ResponseWriter, *http.Request, fault.Refusal) { refused.Add(1) },
		policy.Hooks{Waited: func(context.Context, time.Duration) {}})
	h := limit.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n := active.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		let.Add(1)
		if r.Header.Get("Linger") != "" {
			<-time.After(100 * time.Microsecond)
		}
		active.Add(-1)
	}))
	const clients, each = 32, 400
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for range each {
				ctx, cancel := context.WithCancel(t.Context())
				switch random.IntN(4) {
				case 0:
					ctx, cancel = context.WithTimeout(t.Context(), time.Duration(random.IntN(1000))*time.Microsecond)
				case 1:
					time.AfterFunc(time.Duration(random.IntN(500))*time.Microsecond, cancel)
				}
				r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
				if random.IntN(2) == 0 {
					r.Header.Set("Linger", "1")
				}
				h.ServeHTTP(httptest.NewRecorder(), identified(r))
				cancel()
			}
		})
	}
	wg.Wait()
	if most.Load() > slots || let.Load()+refused.Load() != clients*each || limit.Active() != 0 || limit.Queued() != 0 {
		t.Errorf("%d at once, %d let in and %d refused of %d, %d active and %d queued are left",
			most.Load(), let.Load(), refused.Load(), clients*each, limit.Active(), limit.Queued())
	}
	for range slots { // all are there
		r := httptest.NewRequest("GET", "/", nil)
		before := refused.Load()
		if h.ServeHTTP(httptest.NewRecorder(), identified(r)); refused.Load() != before {
			t.Error("a slot is lost")
		}
	}
}

func BenchmarkConcurrency(b *testing.B) {
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	reject := func(http.ResponseWriter, *http.Request, fault.Refusal) {}
	measure := func(name string, h http.Handler) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				w, r := httptest.NewRecorder(), identified(httptest.NewRequest("GET", "/", nil))
				for pb.Next() {
					*handler.AnswerOf(r) = field.Answer{}
					h.ServeHTTP(w, r)
				}
			})
		})
	}
	measure("off", nothing)
	room := policy.NewConcurrency(policy.ConcurrencyConfig{Max: 1 << 20, Queue: 100, QueueWait: time.Second}, reject, policy.Hooks{})
	measure("room", room.Wrap(nothing))

	full := policy.NewConcurrency(policy.ConcurrencyConfig{Max: 1}, reject, policy.Hooks{})
	entered, leave := make(chan struct{}), make(chan struct{})
	defer close(leave)
	go full.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered); <-leave })).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	<-entered
	measure("full", full.Wrap(nothing))
}
