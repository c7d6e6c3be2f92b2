package field_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/field"
)

// TestRetryAfter reads both forms, at midnight of 2000-01-01, when bubbles begin.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for text, want := range map[string]time.Duration{
			"":                                 0,
			"0":                                0,
			"120":                              2 * time.Minute,
			" 1 ":                              time.Second,
			"9223372036":                       9223372036 * time.Second,
			"9223372037":                       9223372036 * time.Second,
			"99999999999999999999":             0,
			"-1":                               0,
			"1.5":                              0,
			"soon":                             0,
			"Sat, 01 Jan 2000 00:01:00 GMT":    time.Minute,
			"Fri, 31 Dec 1999 23:59:00 GMT":    0,
			"Saturday, 01-Jan-00 00:01:00 GMT": time.Minute,
		} {
			if got := field.RetryAfter(http.Header{"Retry-After": {text}}); got != want {
				t.Errorf("%q: got %v, want %v", text, got, want)
			}
		}
	})
}
