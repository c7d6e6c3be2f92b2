package balancer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/handler/fault"
)

func TestConditionsOfGRPC(t *testing.T) {
	t.Parallel()
	const all = "cancelled, unknown, invalid-argument, deadline-exceeded, not-found, already-exists, permission-denied, resource-exhausted, " +
		"failed-precondition, aborted, out-of-range, unimplemented, internal, unavailable, data-loss, unauthenticated"
	for text, want := range map[string]string{
		"grpc:unavailable":                              "grpc:unavailable",
		"connect, grpc:deadline_exceeded,503":           "connect,503,grpc:deadline-exceeded",
		"grpc:unavailable,grpc:internal,grpc:cancelled": "grpc:cancelled,grpc:internal,grpc:unavailable",
		"grpc:ok":                "grpc:ok is not the status of a failure",
		"grpc:":                  `"grpc:" must be grpc: and one of ` + all,
		"grpc:14":                `"grpc:14" must be grpc: and one of ` + all,
		"grpc:Unavailable":       `"grpc:Unavailable" must be grpc: and one of ` + all,
		"unavailable":            `"unavailable" must be connect, reset, timeout, a status code or grpc:NAME`,
		"grpc:unavailable,reste": `"reste" must be connect, reset, timeout, a status code or grpc:NAME`,
	} {
		var on balancer.Conditions
		got := ""
		if err := on.UnmarshalText([]byte(text)); err != nil {
			got = err.Error()
		} else {
			written, _ := on.MarshalText()
			got = string(written)
		}
		if got != want {
			t.Errorf("%q is read as %s\nwant %s", text, got, want)
		}
	}
}

// called is a backend of gRPC: its answers are the header's, then the trailer's, fields
// of each call. Without a trailer they have no content, nor with a Content-Length of 0.
type called struct {
	header, trailer []string // NAME:VALUE, the last for ever
}

func (c *called) RoundTrip(*http.Request) (*http.Response, error) {
	next := func(lines *[]string) http.Header {
		if len(*lines) == 0 {
			return nil
		}
		fields := http.Header{}
		for field := range strings.FieldsSeq((*lines)[0]) {
			name, value, _ := strings.Cut(field, ":")
			fields.Set(name, value)
		}
		if len(*lines) > 1 {
			*lines = (*lines)[1:]
		}
		return fields
	}
	resp := &http.Response{StatusCode: http.StatusOK, Header: next(&c.header), ContentLength: -1}
	if resp.Header["Content-Type"] == nil {
		resp.Header["Content-Type"] = []string{"application/grpc"}
	}
	content := "message"
	if len(c.trailer) == 0 || resp.Header["Content-Length"] != nil {
		content, resp.ContentLength = "", 0
	}
	resp.Body = &trailed{Reader: strings.NewReader(content), resp: resp, trailer: next(&c.trailer)}
	return resp, nil
}

// trailed has its trailer once it is read.
type trailed struct {
	io.Reader
	resp    *http.Response
	trailer http.Header
}

func (b *trailed) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		b.resp.Trailer = b.trailer
	}
	return n, err
}

func (b *trailed) Close() error { return nil }

// TestRetryOfGRPC makes calls, which are POSTs, that backends a and b answer.
func TestRetryOfGRPC(t *testing.T) {
	const unavailable, ok = "Grpc-Status:14", "Grpc-Status:0"
	for name, test := range map[string]struct {
		on         string
		a, b       called
		want       string // code
		wantTried  string
		wantStop   balancer.StopReason
		wantReason string
		wantWaited time.Duration
	}{
		"a code that is listed":     {on: "grpc:unavailable", a: called{header: []string{unavailable}}, b: called{header: []string{ok}}, want: "0", wantTried: "ab", wantStop: "success", wantReason: "UNAVAILABLE"},
		"all answer with it":        {on: "grpc:unavailable", a: called{header: []string{unavailable}}, b: called{header: []string{unavailable}}, want: "14", wantTried: "ab", wantStop: "max_attempts", wantReason: "UNAVAILABLE"},
		"one that is not listed":    {on: "grpc:internal,503", a: called{header: []string{unavailable}}, want: "14", wantTried: "a", wantStop: "success"},
		"what is no code, UNKNOWN":  {on: "grpc:unknown", a: called{header: []string{"Grpc-Status:x"}}, b: called{header: []string{ok}}, want: "0", wantTried: "ab", wantStop: "success", wantReason: "UNKNOWN"},
		"none at all, UNKNOWN too":  {on: "grpc:unknown", a: called{header: []string{"X:1"}}, b: called{header: []string{ok}}, want: "0", wantTried: "ab", wantStop: "success", wantReason: "UNKNOWN"},
		"none of gRPC":              {on: "grpc:unavailable", a: called{header: []string{unavailable + " Content-Type:text/html"}}, want: "14", wantTried: "a", wantStop: "success"},
		"behind no content":         {on: "grpc:unavailable", a: called{header: []string{"Content-Length:0"}, trailer: []string{unavailable}}, b: called{header: []string{ok}}, want: "0", wantTried: "ab", wantStop: "success", wantReason: "UNAVAILABLE"},
		"the trailer's is the last": {on: "grpc:unavailable", a: called{header: []string{"Content-Length:0 " + unavailable}, trailer: []string{ok}}, want: "14", wantTried: "a", wantStop: "success"},
		"content is to follow":      {on: "grpc:unavailable", a: called{header: []string{unavailable}, trailer: []string{ok}}, want: "14", wantTried: "a", wantStop: "success"},
		"its trailer asks to wait":  {on: "grpc:unavailable", a: called{header: []string{"Content-Length:0 Grpc-Retry-Pushback-Ms:1"}, trailer: []string{unavailable + " Grpc-Retry-Pushback-Ms:1500"}}, b: called{header: []string{ok}}, want: "0", wantTried: "ab", wantStop: "success", wantReason: "UNAVAILABLE", wantWaited: 1500 * time.Millisecond},
		"after content, too late":   {on: "grpc:unavailable", a: called{header: []string{"X:1"}, trailer: []string{unavailable}}, want: "", wantTried: "a", wantStop: "success"},
		"not to be asked again":     {on: "grpc:unavailable", a: called{header: []string{unavailable + " Grpc-Retry-Pushback-Ms:-1"}}, want: "14", wantTried: "a", wantStop: "pushback"},
		"nor by what is no number":  {on: "grpc:unavailable", a: called{header: []string{unavailable + " Grpc-Retry-Pushback-Ms:soon"}}, want: "14", wantTried: "a", wantStop: "pushback"},
		"nor for so long":           {on: "grpc:unavailable", a: called{header: []string{unavailable + " Grpc-Retry-Pushback-Ms:2001"}}, want: "14", wantTried: "a", wantStop: "pushback"},
		"asked again after a while": {on: "grpc:unavailable", a: called{header: []string{unavailable + " Grpc-Retry-Pushback-Ms:1500"}}, b: called{header: []string{ok}}, want: "0", wantTried: "ab", wantStop: "success", wantReason: "UNAVAILABLE", wantWaited: 1500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tried, reason := "", ""
				backends := named(nil, "a", "b")
				for i, backend := range []*called{&test.a, &test.b} {
					backends[i].Use(roundTripper(func(r *http.Request) (*http.Response, error) {
						tried += backends[i].Name
						return backend.RoundTrip(r)
					}))
				}
				var stop balancer.StopReason
				hooks := balancer.Hooks{
					RetryStopped: func(_ context.Context, reason balancer.StopReason) { stop = reason },
					RetryWait: func(next balancer.Wait) balancer.Wait {
						return func(ctx context.Context, d balancer.RetryDecision) error {
							reason = d.Reason
							return next(ctx, d)
						}
					},
				}
				cfg := retrying(t, test.on, balancer.RetryConfig{Attempts: 1, MaxBackoff: 2 * time.Second, Budget: 1, BodyLimit: 10})
				r := httptest.NewRequestWithContext(t.Context(), "POST", "/pkg.Service/Method", strings.NewReader("message"))
				r.Body = survivor{r.Body}
				start := time.Now()
				resp, err := balancer.RetryOf(balancer.NewPoolOf(cfg, hooks, balancer.NewRoundRobin(), backends...)).RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				got := []string{resp.Header.Get("Grpc-Status"), tried, string(stop), reason, time.Since(start).String()}
				if diff := cmp.Diff([]string{test.want, test.wantTried, string(test.wantStop), test.wantReason, test.wantWaited.String()}, got); diff != "" {
					t.Errorf("code, tried, stop, reason, waited (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestOutlierOfGRPC counts calls against a backend wherever it says how they went.
func TestOutlierOfGRPC(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		on      string
		backend called
		want    string
	}{
		"in a header":               {"grpc:unavailable", called{header: []string{"Grpc-Status:14"}}, "UNAVAILABLE ejected"},
		"in a trailer":              {"grpc:data-loss", called{header: []string{"X:1"}, trailer: []string{"Grpc-Status:15"}}, "DATA_LOSS ejected"},
		"trailer before header":     {"grpc:data-loss", called{header: []string{"Grpc-Status:0"}, trailer: []string{"Grpc-Status:15"}}, "DATA_LOSS ejected"},
		"header behind trailer":     {"grpc:data-loss", called{header: []string{"Grpc-Status:15"}, trailer: []string{"Grpc-Status:0"}}, " unknown"},
		"nowhere, so UNKNOWN":       {"grpc:unknown", called{header: []string{"X:1"}, trailer: []string{"X:1"}}, "UNKNOWN ejected"},
		"no answer of gRPC":         {"grpc:unknown,grpc:unavailable", called{header: []string{"Content-Type:text/html Grpc-Status:14"}}, " unknown"},
		"in gRPC-Web's content":     {"grpc:unknown,grpc:unavailable", called{header: []string{"Content-Type:application/grpc-web Grpc-Status:14"}, trailer: []string{"X:1"}}, " unknown"},
		"gRPC-Web without content":  {"grpc:unavailable", called{header: []string{"Content-Type:application/grpc-web Grpc-Status:14"}}, "UNAVAILABLE ejected"},
		"another in a trailer":      {"grpc:unavailable", called{header: []string{"X:1"}, trailer: []string{"Grpc-Status:5"}}, " unknown"},
		"went well":                 {"grpc:unavailable", called{header: []string{"X:1"}, trailer: []string{"Grpc-Status:0"}}, " unknown"},
		"in between one went well":  {"grpc:unavailable", called{header: []string{"Grpc-Status:14", "Grpc-Status:0", "Grpc-Status:14", "Grpc-Status:0"}}, "UNAVAILABLE unknown"},
		"statuses say nothing here": {"502,503,504", called{header: []string{"Grpc-Status:14"}}, " unknown"},
	} {
		b := named(nil, "a")[0]
		b.Use(&test.backend)
		failed := ""
		cfg := balancer.Config{Outlier: balancer.OutlierConfig{Failures: 2, MaxEjected: 100}}
		if err := cfg.Outlier.On.UnmarshalText([]byte(test.on)); err != nil {
			t.Fatal(err)
		}
		balancer.NewPoolOf(cfg, balancer.Hooks{Attempted: func(_ context.Context, _ *balancer.Backend, o balancer.Outcome) {
			if o.Failed {
				failed = o.Code.String()
			}
		}}, balancer.NewRoundRobin(), b)
		for range 4 {
			resp, err := b.RoundTrip(httptest.NewRequest("POST", "/pkg.Service/Method", nil))
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if got := fmt.Sprint(failed, " ", b.State()); got != test.want {
			t.Errorf("%s: failed with, state: %s, want %s", name, got, test.want)
		}
	}
}

// A call that fails fast must not look fast.
func TestLatencyOfGRPCFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		counts := map[string]int{}
		var backends []*balancer.Backend
		for name, code := range map[string]fault.GRPCCode{"a": fault.GRPCUnavailable, "b": fault.GRPCOK} {
			b := named(nil, name)[0]
			b.Use(roundTripper(func(*http.Request) (*http.Response, error) {
				counts[name]++
				if code == fault.GRPCOK {
					time.Sleep(100 * time.Millisecond)
				}
				return (&called{header: []string{fmt.Sprintf("Grpc-Status:%d", code)}}).RoundTrip(nil)
			}))
			backends = append(backends, b)
		}
		rt := balancer.RetryOf(balancer.NewPool(balancer.NewPeakEWMA(), backends...))
		for range 20 {
			resp, err := rt.RoundTrip(httptest.NewRequest("POST", "/pkg.Service/Method", nil))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		if counts["a"] > 5 {
			t.Errorf("the one that fails got %d of 20 calls", counts["a"])
		}
	})
}
