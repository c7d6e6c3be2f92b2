package redis

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"spangate/policy"
	"spangate/policy/redis/connect"
)

// limit is n requests per so long, with a burst of as many.
func limit(n int64, per time.Duration) policy.Limit {
	return policy.Limit{Requests: n, Per: per, Burst: n}
}

func burst(l policy.Limit, n int64) policy.Limit {
	l.Burst = n
	return l
}

const day = 24 * time.Hour

// model is the limits in exact arithmetic.
type model struct {
	limits policy.Limits
	at     []*big.Rat // arrival times, in seconds
}

func newModel(limits policy.Limits) *model {
	m := &model{limits: limits}
	for range limits {
		m.at = append(m.at, new(big.Rat))
	}
	return m
}

func rat(d time.Duration) *big.Rat { return big.NewRat(int64(d), int64(time.Second)) }

func (m *model) allow(now *big.Rat) bool {
	var next []*big.Rat
	for i, l := range m.limits {
		interval := new(big.Rat).Quo(rat(l.Per), new(big.Rat).SetInt64(l.Requests))
		at := m.at[i]
		if at.Cmp(now) < 0 {
			at = now
		}
		at = new(big.Rat).Add(at, interval)
		reach := new(big.Rat).Mul(interval, new(big.Rat).SetInt64(l.Burst))
		if at.Cmp(reach.Add(reach, now)) > 0 {
			return false
		}
		next = append(next, at)
	}
	m.at = next
	return true
}

// fake is a Redis in this process, whose clock is the test's.
type fake struct {
	*miniredis.Miniredis
	now time.Time
}

func newFake(t testing.TB) *fake {
	t.Helper()
	f := &fake{miniredis.RunT(t), time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)}
	f.SetTime(f.now)
	return f
}

func (f *fake) url() connect.URL { return connect.URL("redis://" + f.Addr()) }

// pass lets time go by, which miniredis takes two words for.
func (f *fake) pass(d time.Duration) {
	f.now = f.now.Add(d)
	f.SetTime(f.now)
	f.FastForward(d)
}

// newStore returns a store that is not run. If cfg has no timeout, it has none
// that a machine under load could exceed.
func newStore(t testing.TB, cfg Config, limits policy.Limits) *Store {
	t.Helper()
	if cfg.Prefix == "" {
		cfg.Prefix = "spangate:"
	}
	if cfg.OnError == "" {
		cfg.OnError = local
	}
	patient := cfg.Timeout == 0
	if patient {
		cfg.Timeout = 2 * time.Minute
	}
	s, err := New(cfg, limits, 10000, nil)
	if err == nil && patient {
		s.connect = cfg.Timeout
		s.dial, err = cfg.dialer(s.connect)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asker asks the script one question at a time, and nothing else.
type asker struct {
	*Store
	client connect.Client
}

func newAsker(t testing.TB, url connect.URL, limits policy.Limits) *asker {
	t.Helper()
	s := newStore(t, Config{RedisURL: url}, limits)
	a := &asker{s, s.dial()}
	t.Cleanup(func() { a.client.Close() })
	return a
}

// ask returns the decision for a key of which the ledger holds floors and debts.
func (a *asker) ask(t testing.TB, id byte, floors, debts []int64) policy.Decision {
	t.Helper()
	c := a.call([16]byte{id})
	none := make([]int64, len(a.measures))
	if floors == nil {
		floors = none
	}
	if debts == nil {
		debts = none
	}
	c.args = a.callArgs(floors, debts)
	calls := []call{c}
	send(t.Context(), a.client, calls)
	d, err := a.result(calls[0], false, 1)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestScriptIsExact(t *testing.T) {
	for _, limits := range []policy.Limits{
		{limit(3, time.Second)},
		{burst(limit(1_000_000, time.Second), 50)},
		{burst(limit(700_001, time.Second), 50)},
		{burst(limit(700, time.Minute), 1)},
		{burst(limit(999_983, day), 50)},
		{burst(limit(7, day), 100)},
		{limit(10, time.Second), limit(77, time.Minute), burst(limit(1001, time.Hour), 200)},
	} {
		text, _ := limits.MarshalText()
		t.Run(string(text), func(t *testing.T) {
			t.Parallel()
			redis := newFake(t)
			a := newAsker(t, redis.url(), limits)
			m := newModel(limits)
			random := rand.New(rand.NewPCG(1, 2))
			interval := time.Duration(0)
			for _, l := range limits {
				interval = max(interval, l.Interval())
			}
			allowed, refused := 0, 0
			for i := range int(*runFor / (2 * time.Millisecond)) {
				now := new(big.Rat).Add(big.NewRat(redis.now.Unix(), 1), big.NewRat(int64(redis.now.Nanosecond()), 1e9))
				want := m.allow(now)
				d := a.ask(t, 1, nil, nil)
				if d.Allowed != want {
					t.Fatalf("request %d at %v: allowed %v, want %v", i, redis.now, d.Allowed, want)
				}
				switch {
				case d.Allowed:
					allowed++
				case d.RetryAfter <= 0:
					t.Fatalf("refused, and may come again after %v", d.RetryAfter)
				default:
					refused++
				}
				step := time.Duration(random.Int64N(int64(interval) + int64(interval)/2))
				switch {
				case !d.Allowed && random.IntN(2) == 0:
					step = d.RetryAfter // which must do, to the microsecond
				case random.IntN(3) == 0:
					step = 0
				case random.IntN(500) == 0:
					step = 100 * interval
				}
				redis.pass(step.Truncate(time.Microsecond))
			}
			if allowed < 50 || refused < 50 {
				t.Errorf("%d allowed, %d refused: the test sees too little", allowed, refused)
			}
		})
	}
}

func TestDecision(t *testing.T) {
	redis := newFake(t)
	perSecond, perMinute := limit(10, time.Second), limit(12, time.Minute)
	a := newAsker(t, redis.url(), policy.Limits{perSecond, perMinute})
	var got []policy.Decision
	ask := func() { got = append(got, a.ask(t, 1, nil, nil)) }
	ask()
	for range 9 {
		a.ask(t, 1, nil, nil)
	}
	ask() // over the first limit
	redis.pass(time.Second)
	ask()
	ask()
	ask() // over the second
	want := []policy.Decision{
		{Allowed: true, Limit: perSecond, Remaining: 9, Reset: 100 * time.Millisecond, Store: policy.StoreRedis},
		{Limit: perSecond, Reset: time.Second, RetryAfter: 100 * time.Millisecond, Store: policy.StoreRedis},
		{Allowed: true, Limit: perMinute, Remaining: 1, Reset: 54 * time.Second, Store: policy.StoreRedis},
		{Allowed: true, Limit: perMinute, Remaining: 0, Reset: 59 * time.Second, Store: policy.StoreRedis},
		{Limit: perMinute, Reset: 59 * time.Second, RetryAfter: 4 * time.Second, Store: policy.StoreRedis},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}

func TestKeysAreApartAndExpire(t *testing.T) {
	redis := newFake(t)
	a := newAsker(t, redis.url(), policy.Limits{limit(1, time.Second), limit(2, time.Minute)})
	b := newAsker(t, redis.url(), policy.Limits{limit(1, time.Hour)}) // others' limits do not mix with these
	for _, d := range []policy.Decision{a.ask(t, 1, nil, nil), a.ask(t, 2, nil, nil), b.ask(t, 1, nil, nil)} {
		if !d.Allowed {
			t.Errorf("a first request is refused: %+v", d)
		}
	}
	if n := len(redis.Keys()); n != 3 {
		t.Errorf("%d keys, want 3: %v", n, redis.Keys())
	}
	redis.pass(29 * time.Second)
	if n := len(redis.Keys()); n != 3 {
		t.Errorf("%d keys before the longest limit's time is over, want 3", n)
	}
	redis.pass(2 * time.Second)
	if n := len(redis.Keys()); n != 1 {
		t.Errorf("%d keys after it, want 1: %v", n, redis.Keys())
	}
	b.ask(t, 3, nil, nil)
	redis.pass(time.Hour + time.Second)
	if n := len(redis.Keys()); n != 0 {
		t.Errorf("%d keys are left: %v", n, redis.Keys())
	}
}

// What an instance hands over: where a count was, and what it counted itself.
func TestHandOver(t *testing.T) {
	perSecond := limit(10, time.Second)
	t.Run("a count that was lost goes on from its floor", func(t *testing.T) {
		redis := newFake(t)
		a := newAsker(t, redis.url(), policy.Limits{perSecond})
		floor := redis.now.Add(700 * time.Millisecond).UnixNano()
		if d := a.ask(t, 1, []int64{floor}, nil); d.Remaining != 2 {
			t.Errorf("%d remain, want 2", d.Remaining)
		}
		if d := a.ask(t, 1, []int64{floor}, nil); d.Remaining != 1 {
			t.Errorf("told twice, %d remain, want 1", d.Remaining)
		}
	})
	t.Run("debts add up, beyond the burst too", func(t *testing.T) {
		redis := newFake(t)
		a := newAsker(t, redis.url(), policy.Limits{perSecond})
		var remaining []int64
		for range 3 {
			remaining = append(remaining, a.ask(t, 1, nil, []int64{int64(400 * time.Millisecond)}).Remaining)
		}
		if diff := cmp.Diff([]int64{5, 0, 0}, remaining); diff != "" {
			t.Errorf("remaining (-want +got):\n%s", diff)
		}
		// 4 + 1 + 4 + 1 + 4 = 14, the last request being refused.
		if d := a.ask(t, 1, nil, nil); d.Allowed || d.RetryAfter != 500*time.Millisecond {
			t.Errorf("got %+v, want one that may come after 500ms", d)
		}
	})
	t.Run("a request that is refused hands over too", func(t *testing.T) {
		redis := newFake(t)
		a := newAsker(t, redis.url(), policy.Limits{limit(1, time.Hour)})
		a.ask(t, 1, nil, nil)
		a.ask(t, 1, nil, []int64{int64(time.Hour)})
		if d := a.ask(t, 1, nil, nil); d.RetryAfter != 2*time.Hour {
			t.Errorf("may come after %v, want 2h", d.RetryAfter)
		}
	})
	t.Run("a floor of another clock is none", func(t *testing.T) {
		redis := newFake(t)
		a := newAsker(t, redis.url(), policy.Limits{perSecond})
		floor := redis.now.Add(time.Hour).UnixNano()
		if d := a.ask(t, 1, []int64{floor}, nil); d.Remaining != 9 {
			t.Errorf("%d remain, want 9", d.Remaining)
		}
	})
	t.Run("a clock that goes back locks nobody out", func(t *testing.T) {
		redis := newFake(t)
		a := newAsker(t, redis.url(), policy.Limits{perSecond})
		a.ask(t, 1, nil, nil)
		redis.pass(-time.Hour)
		if d := a.ask(t, 1, nil, nil); d.RetryAfter > 2*time.Second {
			t.Errorf("may come after %v", d.RetryAfter)
		}
	})
}

func TestForeignReply(t *testing.T) {
	r := newFake(t)
	a := newAsker(t, r.url(), policy.Limits{limit(1, time.Second)})
	for name, test := range map[string]struct {
		cmd  *redis.Cmd
		want string
	}{
		"short":      {redis.NewCmdResult([]any{int64(1)}, nil), "the store answered [1]"},
		"not a list": {redis.NewCmdResult("OK", nil), "redis: unexpected type=string for Slice"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.reply(test.cmd)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestBeats(t *testing.T) {
	redis := newFake(t)
	beat := func(s *Store, settled bool) {
		t.Helper()
		c := s.dial()
		defer c.Close()
		if err := s.beat(context.Background(), c, settled, nil); err != nil {
			t.Fatal(err)
		}
	}
	var stores []*Store
	var got []string
	note := func(what string) {
		for _, s := range stores {
			beat(s, false)
		}
		got = append(got, fmt.Sprint(what, " ", stores[0].Instances()))
	}
	for range 3 {
		stores = append(stores, newStore(t, Config{RedisURL: redis.url()}, policy.Limits{limit(1, time.Second)}))
	}
	note("the first:")
	note("all:")
	c := stores[2].dial()
	stores[2].leave(c)
	c.Close()
	stores = stores[:2]
	note("one left, not settled:")
	beat(stores[0], true)
	got = append(got, fmt.Sprint("settled: ", stores[0].Instances()))
	redis.pass(silence + time.Second)
	beat(stores[0], true)
	got = append(got, fmt.Sprint("the other silent: ", stores[0].Instances()))
	redis.pass(-time.Hour)
	beat(stores[0], true)
	got = append(got, fmt.Sprint("clock set back: ", stores[0].Instances()))
	want := []string{"the first: 1", "all: 3", "one left, not settled: 3", "settled: 2", "the other silent: 1", "clock set back: 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("instances (-want +got):\n%s", diff)
	}
	redis.pass(silence + time.Second)
	if n := redis.Keys(); len(n) != 0 {
		t.Errorf("when all are gone there still are %v", n)
	}
}
