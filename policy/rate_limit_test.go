package policy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/field"
	"spangate/policy"
)

func ExampleRateLimit() {
	var cfg policy.RateLimitConfig
	if err := cfg.Limits.UnmarshalText([]byte("2/m,100/d")); err != nil {
		panic(err)
	}
	m := policy.NewMemoryLimiter(cfg.Effective(), 1000)
	h := policy.RateLimit(cfg, m.Limit, refuse)(answering(http.StatusOK))
	for range 3 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, identified(httptest.NewRequest("GET", "/", nil)))
		fmt.Println(w.Code, w.Header().Get("RateLimit-Policy"))
	}
	// Output:
	// 200 "2/m";q=2;w=60, "100/d";q=100;w=86400
	// 200 "2/m";q=2;w=60, "100/d";q=100;w=86400
	// 429 "2/m";q=2;w=60, "100/d";q=100;w=86400
}

func TestNoLimit(t *testing.T) {
	if policy.RateLimit(policy.RateLimitConfig{}, nil, nil) != nil {
		t.Error("a rate limit that is off is not nil")
	}
}

// answer is what a client, and the rejection, tell of one request.
type answer struct {
	Status                        int
	Policy, RateLimit, RetryAfter string
	Rejected                      fault.Refusal
}

// through returns what becomes of r, with "next" as the status of the handler.
func through(cfg policy.RateLimitConfig, limit policy.Limiter, r *http.Request) (a answer) {
	const next = http.StatusAccepted
	h := policy.RateLimit(cfg, limit, func(w http.ResponseWriter, r *http.Request, why fault.Refusal) {
		a.Rejected = why
		refuse(w, r, why)
	})(answering(next))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, identified(r))
	a.Rejected.Detail = ""
	a.Status, a.Policy, a.RateLimit, a.RetryAfter = w.Code, w.Header().Get("RateLimit-Policy"), w.Header().Get("RateLimit"), w.Header().Get("Retry-After")
	return a
}

func TestRateLimitAnswers(t *testing.T) {
	second := policy.Limit{Requests: 10, Per: time.Second, Burst: 10}
	hour := policy.Limit{Requests: 1000, Per: time.Hour, Burst: 1000}
	failed := errors.New("connection refused")
	const terms = `"10/s";q=10;w=1, "1000/h";q=1000;w=3600`
	limited := fault.Refusal{Policy: "rate_limit", Reason: "limited", Status: 429}
	unknown := fault.Refusal{Policy: "rate_limit", Reason: "store_error", Status: 503}
	for _, test := range []struct {
		name   string
		d      policy.Decision
		err    error
		dryRun bool
		want   answer
	}{
		{
			name: "let in",
			d:    policy.Decision{Allowed: true, Limit: second, Remaining: 9, Reset: 100 * time.Millisecond},
			want: answer{202, terms, `"10/s";r=9;t=1`, "", fault.Refusal{}},
		},
		{
			name: "let in, at the rate of the limit",
			d:    policy.Decision{Allowed: true, Limit: hour, Remaining: 999, Reset: 3600 * time.Millisecond},
			want: answer{202, terms, `"1000/h";r=999;t=3597`, "", fault.Refusal{}},
		},
		{
			name: "the last to be let in",
			d:    policy.Decision{Allowed: true, Limit: hour, Remaining: 0, Reset: 999*3600*time.Millisecond + 2100*time.Millisecond},
			want: answer{202, terms, `"1000/h";r=0;t=3`, "", fault.Refusal{}},
		},
		{
			name: "refused",
			d:    policy.Decision{Limit: hour, Reset: time.Hour, RetryAfter: 3000000001},
			want: answer{429, terms, `"1000/h";r=0;t=4`, "4", limited},
		},
		{
			name: "refused for less than a second",
			d:    policy.Decision{Limit: second, Reset: time.Second, RetryAfter: 1},
			want: answer{429, terms, `"10/s";r=0;t=1`, "1", limited},
		},
		{
			name: "refused for just a second",
			d:    policy.Decision{Limit: second, Reset: 2 * time.Second, RetryAfter: time.Second},
			want: answer{429, terms, `"10/s";r=0;t=1`, "1", limited},
		},
		{
			name: "a dry run", dryRun: true,
			d:    policy.Decision{Limit: hour, Reset: time.Hour, RetryAfter: 3 * time.Second},
			want: answer{202, terms, `"1000/h";r=0;t=3;spangate-dry-run`, "", fault.Refusal{}},
		},
		{
			name: "a dry run that lets in", dryRun: true,
			d:    policy.Decision{Allowed: true, Limit: second, Remaining: 1},
			want: answer{202, terms, `"10/s";r=1;t=1;spangate-dry-run`, "", fault.Refusal{}},
		},
		{
			name: "no store, allow", err: failed,
			d:    policy.Decision{Allowed: true},
			want: answer{202, terms, "", "", fault.Refusal{}},
		},
		{
			name: "no store, deny", err: failed,
			want: answer{503, terms, "", "1", unknown},
		},
		{
			name: "no store, deny for a while", err: failed,
			d:    policy.Decision{RetryAfter: 5 * time.Second, Store: policy.StoreRedis},
			want: answer{503, terms, "", "5", unknown},
		},
		{
			name: "no store, deny in a dry run", err: failed, dryRun: true,
			want: answer{202, terms, "", "", fault.Refusal{}},
		},
		{
			name: "no store, a local share lets in", err: failed,
			d:    policy.Decision{Allowed: true, Limit: second, Remaining: 2, Store: policy.StoreLocal},
			want: answer{202, terms, `"10/s";r=2;t=1`, "", fault.Refusal{}},
		},
		{
			name: "no store, a local share refuses", err: failed,
			d:    policy.Decision{Limit: second, RetryAfter: time.Second, Store: policy.StoreLocal},
			want: answer{429, terms, `"10/s";r=0;t=1`, "1", limited},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := limitsOf(t, "10/s,1000/h")
			cfg.DryRun = test.dryRun
			limit := func(context.Context, policy.Key) (policy.Decision, error) { return test.d, test.err }
			got := through(cfg, limit, from("192.0.2.1"))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBurstIsShown(t *testing.T) {
	cfg := limitsOf(t, "1000/h,10/s")
	cfg.Burst = 25
	m := policy.NewMemoryLimiter(cfg.Effective(), 100)
	got := through(cfg, m.Limit, from("192.0.2.1"))
	want := answer{202, `"1000/h";q=1000;w=3600, "10/s";q=10;w=1;spangate-burst=25`, `"10/s";r=24;t=3`, "", fault.Refusal{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRetryAfterIsLongEnough holds the promise: who waits for as long as was
// said is let in.
func TestRetryAfterIsLongEnough(t *testing.T) {
	for _, text := range []string{"10/s", "7/m", "10/s,20/m", "1/d"} {
		synctest.Test(t, func(t *testing.T) {
			cfg := limitsOf(t, text)
			m := policy.NewMemoryLimiter(cfg.Effective(), 100)
			for range 100 {
				a := through(cfg, m.Limit, from("192.0.2.1"))
				for a.Status != http.StatusTooManyRequests {
					a = through(cfg, m.Limit, from("192.0.2.1"))
				}
				wait, err := strconv.Atoi(a.RetryAfter)
				if err != nil || wait < 1 {
					t.Fatalf("Retry-After is %q", a.RetryAfter)
				}
				time.Sleep(time.Duration(wait) * time.Second)
				if a := through(cfg, m.Limit, from("192.0.2.1")); a.Status != http.StatusAccepted {
					t.Fatalf("%s: after %ds still refused", text, wait)
				}
			}
		})
	}
}

// TestFieldsGuideToTheRate follows the fields as a client may: what remains,
// spread over the time that it is for.
func TestFieldsGuideToTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := limitsOf(t, "600/m")
		cfg.Burst = 50
		m := policy.NewMemoryLimiter(cfg.Effective(), 100)
		start, in := time.Now(), 0
		for time.Since(start) < 10*time.Minute {
			a := through(cfg, m.Limit, from("192.0.2.1"))
			if a.Status != http.StatusAccepted {
				t.Fatalf("refused after %d: %s", in, a.RateLimit)
			}
			in++
			_, parameters, _ := strings.Cut(a.RateLimit, ";")
			var r, seconds int
			if _, err := fmt.Sscanf(parameters, "r=%d;t=%d", &r, &seconds); err != nil {
				t.Fatalf("%q: %v", a.RateLimit, err)
			}
			time.Sleep(time.Duration(seconds) * time.Second / time.Duration(max(r, 1)))
		}
		if in < 4500 {
			t.Errorf("%d came in within ten minutes, want nearly 6000", in)
		}
	})
}

func TestPreflightIsNotCounted(t *testing.T) {
	cfg := limitsOf(t, "1/d")
	preflight := func(without string) *http.Request {
		r := from("192.0.2.1", "Origin: https://app.example", "Access-Control-Request-Method: PUT")
		r.Method = http.MethodOptions
		r.Header.Del(without)
		return r
	}
	m := policy.NewMemoryLimiter(cfg.Effective(), 100)
	for range 10 {
		if diff := cmp.Diff(answer{Status: 202}, through(cfg, m.Limit, preflight(""))); diff != "" {
			t.Fatalf("a preflight (-want +got):\n%s", diff)
		}
	}
	if got := through(cfg, m.Limit, from("192.0.2.1")).Status; got != 202 {
		t.Errorf("the request after them: %d, want 202", got)
	}
	if diff := cmp.Diff(answer{Status: 202}, through(cfg, m.Limit, preflight(""))); diff != "" {
		t.Errorf("a preflight over the limit (-want +got):\n%s", diff)
	}
	get := preflight("")
	get.Method = http.MethodGet
	for what, r := range map[string]*http.Request{
		"a GET": get, "OPTIONS without Origin": preflight("Origin"), "OPTIONS that asks for no method": preflight("Access-Control-Request-Method"),
	} {
		if got := through(cfg, m.Limit, r).Status; got != 429 {
			t.Errorf("%s: %d, want 429", what, got)
		}
	}
}

func TestLeavingTheHeaderOutGainsNothing(t *testing.T) {
	cfg := limitsOf(t, "3/d")
	if err := cfg.Key.UnmarshalText([]byte("header:X-Tenant")); err != nil {
		t.Fatal(err)
	}
	m := policy.NewMemoryLimiter(cfg.Effective(), 100)
	in := 0
	for range 5 {
		for _, r := range []*http.Request{from("192.0.2.1"), from("192.0.2.1", "X-Tenant: "), from("192.0.2.1", "X-Tenant: a", "X-Tenant: b")} {
			if through(cfg, m.Limit, r).Status == 202 {
				in++
			}
		}
	}
	if in != 3 {
		t.Errorf("%d came in, want 3", in)
	}
}

// TestNextMayChangeTheHeader has a handler behind the limit add to a field whose
// value all responses share.
func TestNextMayChangeTheHeader(t *testing.T) {
	cfg := limitsOf(t, "100/d")
	m := policy.NewMemoryLimiter(cfg.Effective(), 100)
	h := policy.RateLimit(cfg, m.Limit, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.AnswerOf(r).Apply(w.Header())
		w.Header().Add("RateLimit-Policy", `"own";q=1`)
	}))
	for range 2 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, identified(from("192.0.2.1")))
		want := []string{`"100/d";q=100;w=86400`, `"own";q=1`}
		if diff := cmp.Diff(want, w.Header().Values("RateLimit-Policy")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func BenchmarkRateLimit(b *testing.B) {
	cfg := limitsOf(b, "86400000000/d")
	m := policy.NewMemoryLimiter(cfg.Effective(), 100_000)
	r := identified(from("192.0.2.1"))
	h := policy.RateLimit(cfg, m.Limit, nil)(answering(http.StatusOK))
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		*handler.AnswerOf(r) = field.Answer{}
		h.ServeHTTP(w, r)
	}
}
