package policy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/fault"
	"spangate/policy"
)

func ExampleMaxBody() {
	reject := func(w http.ResponseWriter, _ *http.Request, why fault.Refusal) {
		fmt.Println("refused:", why.Reason)
	}
	wrap := policy.MaxBody(3, reject)
	h := wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Printf("%q %v\n", body, err)
	}))
	for _, body := range []io.Reader{strings.NewReader("abc"), strings.NewReader("abcd"), io.MultiReader(strings.NewReader("abcd"))} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", body))
	}
	// Output:
	// "abc" <nil>
	// refused: too_large
	// "abc" http: request body too large
}

func TestOff(t *testing.T) {
	if policy.MaxBody(0, nil) != nil {
		t.Error("a policy that is off is not nil")
	}
}

// TestTimeout checks which of the two limits holds: REQUEST_TIMEOUT, or the client's,
// which is for the client and the backend to keep before the proxy does.
func TestTimeout(t *testing.T) {
	const never = -1
	for _, test := range []struct {
		limit         time.Duration
		asks          string
		deadline, end time.Duration
	}{
		{0, "", never, never},
		{0, "2S", 2010 * time.Millisecond, 2500 * time.Millisecond},
		{0, "0S", 0, 0},
		{0, "soon", never, never},
		{time.Second, "", time.Second, time.Second},
		{time.Second, "2S", time.Second, time.Second},
		{time.Second, "200m", 210 * time.Millisecond, 700 * time.Millisecond},
		{time.Second, "900m", 910 * time.Millisecond, time.Second},
		{time.Second, "0n", 0, 0},
		{time.Second, "99999999H", time.Second, time.Second},
		{time.Second, "soon", time.Second, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			start, deadline, end := time.Now(), time.Duration(never), time.Duration(never)
			h := policy.Timeout(test.limit)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				at, limited := r.Context().Deadline()
				if !limited {
					return
				}
				deadline = at.Sub(start)
				<-r.Context().Done()
				if end = time.Since(start); !errors.Is(r.Context().Err(), context.DeadlineExceeded) {
					t.Errorf("ended with %v", r.Context().Err())
				}
			}))
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", nil)
			r.Header.Set("Content-Type", "application/grpc")
			if test.asks != "" {
				r.Header.Set("Grpc-Timeout", test.asks)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			if deadline != test.deadline || end != test.end {
				t.Errorf("REQUEST_TIMEOUT=%v, grpc-timeout: %q: deadline %v, end %v; want %v, %v", test.limit, test.asks, deadline, end, test.deadline, test.end)
			}
		})
	}
}
