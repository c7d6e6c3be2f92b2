package wire_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"spangate/handler/wire/wiretest"
)

// A client is asked to leave by the header of its answer, whenever its request came.
func TestServeAsksWithTheHeaderOfAnAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   []string
	}{
		"a header":                    {func(w http.ResponseWriter) { w.WriteHeader(http.StatusTeapot) }, []string{"close"}},
		"a body alone":                {func(w http.ResponseWriter) { io.WriteString(w, "x") }, []string{"close"}},
		"a stream":                    {func(w http.ResponseWriter) { http.NewResponseController(w).Flush() }, []string{"close"}},
		"nothing":                     {func(http.ResponseWriter) {}, []string{"close"}},
		"an interim response":         {func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints) }, []string{"close"}},
		"a panic behind the header":   {func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK); panic(http.ErrAbortHandler) }, nil},
		"another option of the field": {func(w http.ResponseWriter) { w.Header().Set("Connection", "Upgrade"); w.WriteHeader(426) }, []string{"close", "Upgrade"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrived, finish := make(chan struct{}), make(chan struct{})
			s := newServing(t, func(w http.ResponseWriter, _ *http.Request) {
				close(arrived)
				<-finish
				test.answer(w)
			}, time.Minute)
			go func() {
				<-arrived
				s.leave()
				close(finish)
			}()
			answer := wiretest.Raw(t, s.addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			var got []string
			for line := range strings.SplitSeq(answer, "\r\n") {
				if value, ok := strings.CutPrefix(line, "Connection: "); ok {
					got = append(got, value)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("Connection: %q in %q", got, answer)
			}
		})
	}
}

// A header that is sent before says nothing of it, and a switch of protocols does
// not end the connection.
func TestServeLeavesOtherHeadersAsTheyAre(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusOK:                 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: now\r\n\r\n",
		http.StatusSwitchingProtocols: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nDate: now\r\nUpgrade: x\r\n\r\nHTTP/1.1",
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			var s *serving
			s = newServing(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", "now")
				if status == http.StatusOK {
					w.Header().Set("Content-Length", "0")
					w.WriteHeader(status)
					http.NewResponseController(w).Flush()
					s.leave()
					return
				}
				s.leave()
				w.Header()["Connection"], w.Header()["Upgrade"] = []string{"Upgrade"}, []string{"x"}
				w.WriteHeader(status)
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				io.WriteString(conn, "HTTP/1.1")
				conn.Close()
			}, time.Minute)
			got := wiretest.Raw(t, s.addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
