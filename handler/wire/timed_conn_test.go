package wire_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/fault"
	"spangate/handler/wire"
)

// told is a connection that tells which deadlines it is set, from when it was made on.
type told struct {
	net.Conn
	made time.Time
	tell func(string)
}

func (c told) since(t time.Time) any {
	switch {
	case t.IsZero():
		return "none"
	case t.Before(c.made):
		return "gone"
	}
	return t.Sub(c.made)
}

func (c told) SetDeadline(t time.Time) error {
	c.tell(fmt.Sprint("both ", c.since(t)))
	return c.Conn.SetDeadline(t)
}

func (c told) SetReadDeadline(t time.Time) error {
	c.tell(fmt.Sprint("read ", c.since(t)))
	return c.Conn.SetReadDeadline(t)
}

func (c told) SetWriteDeadline(t time.Time) error {
	c.tell(fmt.Sprint("write ", c.since(t)))
	return c.Conn.SetWriteDeadline(t)
}

// TestDeadlinesToBackends holds that a request makes do with the deadline of one shortly
// before it, and sets its own where that is not so, or somebody has set another one.
func TestDeadlinesToBackends(t *testing.T) {
	const ms = time.Millisecond
	type request struct {
		at, answer time.Duration // from the beginning on, and from when it is sent
		within     time.Duration // from when it is sent; 0: it has all the time
	}
	for name, test := range map[string]struct {
		requests []request
		want     []string
		ends     time.Duration // when the last one is given up; 0: it is answered
	}{
		"soon after another":      {requests: []request{{at: 0}, {at: 3 * ms}, {at: 10 * ms}}, want: []string{"both 20ms"}},
		"later":                   {requests: []request{{at: 0}, {at: 11 * ms}, {at: 12 * ms}}, want: []string{"both 20ms", "both 31ms"}},
		"long after":              {requests: []request{{at: 0}, {at: time.Second}}, want: []string{"both 20ms", "both 1.02s"}},
		"the answer takes longer": {requests: []request{{at: 0}, {at: 10 * ms, answer: 15 * ms}}, want: []string{"both 20ms", "read 5.01s", "read none"}},
		"after one that took longer": {
			requests: []request{{at: 0, answer: 21 * ms}, {at: 22 * ms}, {at: 23 * ms}},
			want:     []string{"both 20ms", "read 5s", "read none", "both 42ms"},
		},
		"its time is short": {requests: []request{{at: 0}, {at: 3 * ms, answer: 1 * ms, within: 5 * ms}}, want: []string{"both 20ms", "both 8ms"}},
		"given up":          {requests: []request{{at: 0}, {at: 10 * ms, answer: 50 * ms, within: 30 * ms}}, want: []string{"both 20ms", "read 5.01s", "both gone"}, ends: 40 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []string
				began := time.Now()
				answers := make(chan time.Duration, 1)
				rt := wire.TransportOver(wire.TransportConfig{ResponseTimeout: 5 * time.Second}, func() net.Conn {
					ours, theirs := net.Pipe()
					go serveRequests(theirs, func(conn net.Conn, r *http.Request) bool {
						time.Sleep(<-answers)
						_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nsum")
						return err == nil
					})
					return told{ours, began, func(set string) { got = append(got, set) }}
				})
				defer synctest.Wait()
				defer closeIdle(rt)
				for i, asked := range test.requests {
					time.Sleep(asked.at - time.Since(began))
					answers <- asked.answer
					ctx := t.Context()
					if asked.within > 0 {
						limited, cancel := context.WithTimeout(ctx, asked.within)
						defer cancel()
						ctx = limited
					}
					r, err := http.NewRequestWithContext(ctx, "GET", "http://backend/", nil)
					if err != nil {
						t.Fatal(err)
					}
					resp, err := rt.RoundTrip(r)
					if test.ends > 0 && i == len(test.requests)-1 {
						if e := fault.Of(ctx, err); e.Type != fault.Timeout || time.Since(began) != test.ends {
							t.Errorf("request %d: %v after %v, want to be given up after %v", i, err, time.Since(began), test.ends)
						}
						continue
					}
					if err != nil {
						t.Fatalf("request %d: %v", i, err)
					}
					if content, err := io.ReadAll(resp.Body); string(content) != "sum" || err != nil {
						t.Errorf("request %d: %q, %v", i, content, err)
					}
				}
				time.Sleep(time.Second) // all is answered by then
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("deadlines (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestDeadlinesSetBetweenRequests holds that the deadline of a request before is not
// taken for one that holds when another one was set since.
func TestDeadlinesSetBetweenRequests(t *testing.T) {
	for name, test := range map[string]struct {
		between func(net.Conn)
		want    []string
	}{
		"none":  {func(net.Conn) {}, []string{"both 20ms"}},
		"both":  {func(c net.Conn) { c.SetDeadline(time.Time{}) }, []string{"both 20ms", "both none", "both 21ms"}},
		"read":  {func(c net.Conn) { c.SetReadDeadline(time.Time{}) }, []string{"both 20ms", "read none", "both 21ms"}},
		"write": {func(c net.Conn) { c.SetWriteDeadline(time.Time{}) }, []string{"both 20ms", "write none", "both 21ms"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				defer theirs.Close()
				var got []string
				timed, begin := wire.Timed(told{ours, time.Now(), func(set string) { got = append(got, set) }})
				defer timed.Close()
				begin(t.Context())
				test.between(timed)
				time.Sleep(time.Millisecond)
				begin(t.Context())
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("deadlines (-want +got):\n%s", diff)
				}
			})
		})
	}
}
