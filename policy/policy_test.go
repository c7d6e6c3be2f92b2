package policy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
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

// TestTimeout checks which of the two limits holds: the client's, which is for the
// client and the backend to keep before the proxy does, or REQUEST_TIMEOUT.
func TestTimeout(t *testing.T) {
	const never = -1
	const overtime = 100 * time.Millisecond
	for _, test := range []struct {
		limit time.Duration
		asks  string
		want  time.Duration
	}{
		{0, "", never},
		{0, "2S", 2*time.Second + overtime},
		{0, "0S", 0},
		{0, "99999999H", math.MaxInt64},
		{0, "soon", never},
		{time.Second, "", time.Second},
		{time.Second, "2S", time.Second},
		{time.Second, "500m", 500*time.Millisecond + overtime},
		{time.Second, "950m", time.Second},
		{time.Second, "0n", 0},
		{time.Millisecond, "0n", 0},
		{time.Second, "99999999H", time.Second},
		{time.Second, "soon", time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			start, got := time.Now(), time.Duration(never)
			h := policy.Timeout(test.limit)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				deadline, limited := r.Context().Deadline()
				if !limited {
					return
				}
				if got = deadline.Sub(start); got == math.MaxInt64 {
					return
				}
				<-r.Context().Done()
				if !errors.Is(r.Context().Err(), context.DeadlineExceeded) {
					t.Errorf("ended with %v", r.Context().Err())
				}
			}))
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", nil)
			r.Header.Set("Content-Type", "application/grpc")
			if test.asks != "" {
				r.Header.Set("Grpc-Timeout", test.asks)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got != test.want {
				t.Errorf("REQUEST_TIMEOUT=%v, grpc-timeout: %q: %v, want %v", test.limit, test.asks, got, test.want)
			}
		})
	}
}
