package fault_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/fault"
)

func TestNobodyThatHasGoneIsRefused(t *testing.T) {
	refused := fault.Refusal{Policy: "auth", Reason: "busy", Status: http.StatusServiceUnavailable, Type: fault.Overloaded}
	gone := fault.Refusal{Status: fault.StatusClientClosedRequest, Type: fault.ClientDisconnected}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	stopped, stop := context.WithCancelCause(t.Context())
	stop(&fault.Error{Type: fault.Shutdown})
	late, expire := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer expire()
	for name, test := range map[string]struct {
		ctx  context.Context
		want fault.Refusal
	}{
		"waits for the answer": {t.Context(), refused},
		"has gone":             {canceled, gone},
		"cut off by a drain":   {stopped, refused},
		"past its deadline":    {late, refused},
	} {
		if diff := cmp.Diff(test.want, refused.For(test.ctx)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
