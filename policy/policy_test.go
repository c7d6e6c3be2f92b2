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
	if policy.MaxBody(0, nil) != nil || policy.Timeout(0) != nil {
		t.Error("a policy that is off is not nil")
	}
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		h := policy.Timeout(time.Second)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			if !errors.Is(r.Context().Err(), context.DeadlineExceeded) || time.Since(start) != time.Second {
				t.Errorf("ended after %v with %v", time.Since(start), r.Context().Err())
			}
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	})
}
