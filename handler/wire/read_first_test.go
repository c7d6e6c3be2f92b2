package wire

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/fault"
	"spangate/handler/wire/wiretest"
)

// TestReadFirst waits for the first of the content of responses of HTTP/2.
func TestReadFirst(t *testing.T) {
	const limit, long = time.Second, time.Minute
	for name, test := range map[string]struct {
		method   string
		length   int64
		parts    []string
		pause    time.Duration
		broken   bool // behind them
		want     string
		wantTime time.Duration // until there is something, or will be nothing
	}{
		"all at once":          {length: 10, parts: []string{"0123456789"}, want: "0123456789"},
		"soon":                 {length: 10, parts: []string{"", "0123456789"}, pause: limit / 2, want: "0123456789", wantTime: limit / 2},
		"the rest much later":  {length: 10, parts: []string{"01234", "56789"}, pause: long, want: "0123456789"},
		"not in time":          {length: 10, parts: []string{"", "0123456789"}, pause: long, want: "response_timeout: no body after the response's header", wantTime: limit},
		"broken off before it": {length: 10, broken: true, want: "backend_reset: unexpected EOF"},
		"of unknown length":    {length: -1, parts: []string{"", "0123456789"}, pause: long, want: "0123456789"},
		"in answer to HEAD":    {method: "HEAD", length: 10},
		"longer than what is read ahead of anyone": {length: 10000, parts: []string{strings.Repeat("0123456789", 1000)}, want: strings.Repeat("0123456789", 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body := wiretest.Told(test.pause, test.parts...)
				if test.broken {
					r, w := io.Pipe()
					w.CloseWithError(io.ErrUnexpectedEOF)
					body = r
				}
				r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
				if test.method != "" {
					r.Method = test.method
				}
				resp := &http.Response{ContentLength: test.length, Body: body}
				began := time.Now()
				err := readFirst(r, resp, limit)
				took := time.Since(began)
				got := ""
				if err != nil {
					got = fault.Of(t.Context(), err).Error()
				} else {
					content, _ := io.ReadAll(resp.Body)
					got = string(content)
				}
				if got != test.want || took != test.wantTime {
					t.Errorf("got %q after %v, want %q after %v", got, took, test.want, test.wantTime)
				}
				resp.Body.Close()
				time.Sleep(2 * long)
			})
		})
	}
}
