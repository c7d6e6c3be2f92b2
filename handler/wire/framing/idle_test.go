package framing_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/wire/framing"
)

// TestSurplus has more come than was asked for, with an answer and behind it.
// What is handed out ends with the answer, and the connection with it.
func TestSurplus(t *testing.T) {
	tests := map[string]struct {
		method, answer, surplus string
		counted                 bool
	}{
		"an answer behind HEAD":    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", true},
		"content behind HEAD":      {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "sum", true},
		"content behind a 204":     {"GET", "HTTP/1.1 204 No Content\r\n\r\n", "sum", true},
		"content behind a 304":     {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", "sum", true},
		"too much content":         {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "!", true},
		"something behind chunks":  {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "\r\n", true},
		"a goodbye":                {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 408 Request Timeout\r\n\r\n", false},
		"the beginning of another": {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.", true},
	}
	for name, test := range tests {
		for _, size := range []int{4096, 1} {
			wire := &fixedConn{}
			counted := 0
			conn := framing.Responses(wire, 0, func() { counted++ })
			io.WriteString(conn, test.method+" / HTTP/1.1\r\n\r\n")
			wire.rest = []byte(test.answer + test.surplus)
			got, err := readAll(conn, size)
			if string(got) != test.answer || !errors.Is(err, framing.ErrUnsolicited) {
				t.Errorf("%s: read %q, %v", name, got, err)
			}
			if !test.counted && size == 1 {
				test.counted = true // it was not to be told from other surplus
			}
			if conn.Quiet() || !conn.Broken() || (counted == 1) != test.counted {
				t.Errorf("%s: quiet %t, broken %t, counted %d times", name, conn.Quiet(), conn.Broken(), counted)
			}
			if n, err := io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n"); n > 0 || err == nil {
				t.Errorf("%s: another request was written: %d, %v", name, n, err)
			}
		}
	}
}

// TestTheLastLook has something arrive, or the end, on a connection whose reader
// has not been woken, or reads already.
func TestTheLastLook(t *testing.T) {
	for name, arrive := range map[string]func(net.Conn){
		"bytes":   func(far net.Conn) { io.WriteString(far, "HTTP/1.1 200 OK\r\n\r\n") },
		"the end": func(far net.Conn) { far.Close() },
	} {
		for _, reading := range []bool{false, true} {
			near, far := connected(t)
			counted := make(chan bool, 2)
			conn := framing.Responses(near, 0, func() { counted <- true })
			io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
			io.WriteString(far, "HTTP/1.1 204 No Content\r\n\r\n")
			conn.Read(make([]byte, 4096))
			if !conn.Quiet() {
				t.Errorf("%s: not quiet before", name)
			}
			read := make(chan error, 1)
			if reading {
				go func() {
					n, err := conn.Read(make([]byte, 4096))
					if n > 0 {
						t.Errorf("%s: %d bytes were handed out", name, n)
					}
					read <- err
				}()
			}
			arrive(far)
			if reading {
				if err := <-read; err == nil {
					t.Errorf("%s: could be read", name)
				}
			}
			for conn.Quiet() {
			}
			if n, err := io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n"); n > 0 || err == nil {
				t.Errorf("%s: another request was written: %d, %v", name, n, err)
			}
			if got, want := len(counted), map[string]int{"bytes": 1}[name]; got != want {
				t.Errorf("%s: counted %d times, want %d", name, got, want)
			}
			conn.Close()
		}
	}
}

// connected returns both ends of a connection of TCP.
func connected(t *testing.T) (near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if near, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// TestAWriteFailsAfterTheAnswer checks that the failure of a write is not told
// while there is an answer to be read.
func TestAWriteFailsAfterTheAnswer(t *testing.T) {
	const head = "PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\n"
	tests := map[string]struct {
		answer string // that is there already; without one nothing comes
		reads  string // end of the reading: "end", "close", or "" for never
		want   time.Duration
	}{
		"an answer, read to its end":   {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 20\r\n\r\n", "end", time.Hour},
		"an answer, closed amid it":    {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 20\r\n\r\n", "close", time.Hour},
		"no answer, and the end of it": {"", "end", 0},
		"no answer at all":             {"", "", 5 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := &fixedConn{end: io.EOF}
				conn := framing.Responses(wire, 0, nil)
				io.WriteString(conn, head)
				wire.rest = []byte(test.answer)
				if test.answer != "" {
					conn.Read(make([]byte, len(test.answer)))
				}
				wire.fails = errors.New("broken pipe")
				began := time.Now()
				failed := make(chan time.Duration)
				go func() {
					if _, err := io.WriteString(conn, "sum"); err == nil || !strings.Contains(err.Error(), "broken pipe") {
						t.Errorf("error %v", err)
					}
					failed <- time.Since(began)
				}()
				synctest.Wait()
				time.Sleep(map[bool]time.Duration{true: time.Hour}[test.answer != ""])
				switch test.reads {
				case "end":
					conn.Read(make([]byte, 1))
				case "close":
					conn.Close()
				}
				if got := <-failed; got != test.want {
					t.Errorf("failed after %v, want %v", got, test.want)
				}
			})
		})
	}
}

// TestWritesFailWithWhatEndedTheReading closes a connection, as net/http does
// when a read has failed, before more is written to it.
func TestWritesFailWithWhatEndedTheReading(t *testing.T) {
	for name, test := range map[string]struct {
		arrive func(far net.Conn)
		want   error // nil: the read's own
	}{
		"the end":   {func(far net.Conn) { far.Close() }, io.EOF},
		"malformed": {func(far net.Conn) { io.WriteString(far, "nonsense\r\n\r\n") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := connected(t)
			conn := framing.Responses(near, 0, nil)
			io.WriteString(conn, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
			io.ReadFull(far, make([]byte, len("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n")))
			test.arrive(far)
			var want error
			for want == nil {
				_, want = conn.Read(make([]byte, 4096))
			}
			if test.want != nil && want != test.want {
				t.Fatalf("reading failed with %v, want %v", want, test.want)
			}
			conn.Close()
			if n, err := io.WriteString(conn, "hello"); n > 0 || err != want {
				t.Errorf("wrote %d, %v; want %v", n, err, want)
			}
		})
	}
	t.Run("closed here", func(t *testing.T) {
		near, _ := connected(t)
		conn := framing.Responses(near, 0, nil)
		conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("wrote: %v, want %v", err, net.ErrClosed)
		}
	})
}
