package http1_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/http1"
	"spangate/handler/wire/http1/http1test"
)

const (
	ok      = "HTTP/1.1 200 OK\r\n"
	get     = "GET / HTTP/1.1\r\nHost: a\r\n"
	post    = "POST / HTTP/1.1\r\nHost: a\r\n"
	chunked = "Transfer-Encoding: chunked\r\n"
)

func TestRequestRules(t *testing.T) {
	for _, r := range http1test.Requests {
		for cut, arrive := range cuts {
			t.Run(r.Section+" "+r.Name+"/"+cut, func(t *testing.T) {
				if diff := cmp.Diff(r.Out, sentRequest(t, arrive([]byte(r.In)))); diff != "" {
					t.Errorf("%.500q (-want +got):\n%s", r.In, diff)
				}
			})
		}
	}
}

// sentRequest returns the request that src begins with as it is sent on, or why it is
// not.
func sentRequest(t *testing.T, src io.Reader) string {
	t.Helper()
	m, err := readRequest(src, 4<<10)
	if err != nil {
		if status := http1.StatusOf(err); status > 0 {
			return fmt.Sprint(status, " ", err)
		}
		return err.Error()
	}
	sent, err := m.appendRest(m.appendRequestLine(nil), false)
	if err != nil {
		t.Fatal(err)
	}
	if m.rest != "" {
		return string(sent) + http1test.Next + m.rest
	}
	return string(sent)
}
