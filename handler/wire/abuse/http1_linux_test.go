package abuse

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// raw returns an attack that opens connections and writes to each what write does,
// until the proxy ends it; what comes back is read, unless deaf.
func raw(connections int, deaf bool, write func(w *bufio.Writer, i int) error) func(*target) outcome {
	return func(at *target) outcome {
		outcomes := make([]outcome, connections)
		var all sync.WaitGroup
		for i := range outcomes {
			all.Go(func() { outcomes[i] = drip(at, deaf, write) })
		}
		all.Wait()
		sum := outcome{ended: outcomes[0].ended}
		for _, o := range outcomes {
			sum.sent += o.sent
			sum.err = errors.Join(sum.err, o.err)
			if o.ended == "" {
				sum.ended = ""
			}
		}
		return sum
	}
}

// errDone ends what a connection writes.
var errDone = errors.New("done")

func drip(at *target, deaf bool, write func(w *bufio.Writer, i int) error) outcome {
	conn, err := at.dial()
	if err != nil {
		return outcome{err: err}
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	ended := make(chan error, 1)
	read := func() {
		answer, err := io.ReadAll(io.LimitReader(conn, 64))
		if err == nil && len(answer) > 0 {
			_, err = io.Copy(io.Discard, conn)
		}
		if err == nil {
			err = io.EOF
		}
		if status, _, ok := strings.Cut(string(answer), "\r\n"); ok {
			err = answered{strings.TrimPrefix(status, "HTTP/1.1 "), err}
		}
		ended <- err
	}
	if !deaf {
		go read()
	}
	w := bufio.NewWriter(conn)
	for i := 0; ; i++ {
		err := write(w, i)
		if err == nil {
			err = w.Flush()
		}
		if err != nil {
			w.Flush()
			if deaf {
				time.Sleep(stall())
				for late := time.Now().Add(patience / 2); at.backend.busy.Load() > 0 && time.Now().Before(late); {
					time.Sleep(10 * time.Millisecond)
				}
				go read()
			}
			select {
			case readErr := <-ended:
				return outcome{sent: i, ended: how(readErr)}
			case <-time.After(patience / 2):
				return outcome{sent: i}
			}
		}
		select {
		case err := <-ended:
			return outcome{sent: i, ended: how(err)}
		default:
		}
	}
}

// answered is how a connection ended behind an answer.
type answered struct {
	status string
	error
}

func how(err error) string {
	if a, ok := errors.AsType[answered](err); ok {
		return strings.TrimSpace(a.status + ", " + endOf(a.error))
	}
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		return ""
	}
	return endOf(err)
}

// forSome writes first, and then each every so often until it has been written times
// times.
func forSome(first, each string, times int, every time.Duration) func(w *bufio.Writer, i int) error {
	return func(w *bufio.Writer, i int) error {
		if i == 0 {
			w.WriteString(first)
		}
		if i >= times {
			return errDone
		}
		if every > 0 {
			time.Sleep(every)
		}
		_, err := w.WriteString(each)
		return err
	}
}

// pipeline returns n requests, the last of which ends the connection.
func pipeline(n int) string {
	return strings.Repeat(get+"\r\n", n-1) + get + "Connection: close\r\n\r\n"
}

// impatient are settings under which a slow attack is over soon.
var impatient = []string{"READ_HEADER_TIMEOUT=1s", "CLIENT_TIMEOUT=1s", "IDLE_TIMEOUT=1s"}

const (
	get  = "GET / HTTP/1.1\r\nHost: abuse.test\r\n"
	post = "POST / HTTP/1.1\r\nHost: abuse.test\r\n"
)

// TestSlow goes about HTTP/1.1 as slowly as it can, as slowloris and R.U.D.Y. do.
func TestSlow(t *testing.T) {
	const slow, few = 100, 5 // connections
	forever := 1 << 20
	attacks := []attack{
		{name: "nothing", env: impatient, strike: raw(slow, false, forSome("", "", 0, 0))},
		{name: "a request line, byte by byte", env: impatient, strike: raw(slow, false, forSome("GET /", "x", forever, 20*time.Millisecond))},
		{name: "a header, field by field", env: impatient, strike: raw(slow, false, forSome(get, "X: y\r\n", forever, 20*time.Millisecond))},
		{name: "a body that stops", env: impatient, forwards: slow, strike: raw(slow, false, forSome(post+"Content-Length: 1000\r\n\r\nx", "", 0, 0))},
		{name: "chunks that stop", env: impatient, forwards: slow, strike: raw(slow, false, forSome(post+"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n3", "", 0, 0))},
		{name: "a trailer, byte by byte", cpu: time.Second, env: append([]string{"REQUEST_TIMEOUT=3s"}, impatient...), forwards: slow, strike: raw(slow, false, forSome(post+"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", "x", forever, 20*time.Millisecond))},
		{name: "a body, byte by byte", cpu: time.Second, env: append([]string{"REQUEST_TIMEOUT=3s"}, impatient...), forwards: slow, strike: raw(slow, false, forSome(post+"Content-Length: 1000000\r\n\r\n", "x", forever, 20*time.Millisecond))},
		{name: "an answer that is not read", env: impatient, forwards: few, strike: raw(few, true, forSome(strings.Replace(get, "/", "/endless", 1)+"\r\n", "", 0, 0))},
		{name: "an idle connection", env: impatient, forwards: slow, strike: raw(slow, false, forSome(get+"\r\n", "", 0, 0))},
		{name: "half of HTTP/2's preface", env: impatient, strike: raw(slow, false, forSome("PRI * HTTP/2.0\r\n\r\nS", "", 0, 0))},
		{name: "HTTP/2 without SETTINGS", env: impatient, strike: raw(slow, false, forSome("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", 0, 0))},
		{name: "HTTP/2 without a request", env: impatient, strike: raw(slow, false, forSome("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "", 0, 0))},
		{name: "a header of HTTP/2, byte by byte", env: impatient, strike: raw(slow, false, forSome("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x10\x00\x01\x04\x00\x00\x00\x01", "\x82", forever, 20*time.Millisecond))},
		{name: "a header of HTTP/2, frame by frame", env: impatient, strike: raw(slow, false, forSome("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82", "\x00\x00\x00\x09\x00\x00\x00\x00\x01", forever, 20*time.Millisecond))},
		{name: "connections beyond what there are descriptors for", env: impatient, files: 200, cpu: time.Second, strike: raw(slow, false, forSome("", "", 0, 0))},
	}
	for i := range attacks {
		attacks[i].waits = true
	}
	attackWith(t, attacks)
}

// TestHTTP1Floods sends HTTP/1.1 as fast as it can.
func TestHTTP1Floods(t *testing.T) {
	const pipelined = 500
	attackWith(t, []attack{
		{name: "pipelined requests", forwards: pipelined, cpu: 3 * time.Second, strike: raw(1, false, forSome(pipeline(pipelined), "", 0, 0))},
		{name: "pipelined requests whose answers are not read", forwards: pipelined, cpu: 3 * time.Second, strike: raw(1, true, forSome(pipeline(pipelined), "", 0, 0))},
		{name: "chunks of a byte", env: impatient, forwards: 1, cpu: 3 * time.Second, strike: raw(1, false, forSome(post+"Transfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\nx\r\n", 1000), 100, 0))},
		{name: "chunks with huge extensions", forwards: 1, strike: raw(1, false, forSome(post+"Transfer-Encoding: chunked\r\n\r\n", "1;"+strings.Repeat("x", 10_000)+"\r\nx\r\n", 10_000, 0))},
		{name: "an extension without an end", forwards: 1, strike: raw(1, false, forSome(post+"Transfer-Encoding: chunked\r\n\r\n1;", strings.Repeat("x", 10_000), 10_000, 0))},
		{name: "a chunk size without an end", forwards: 1, strike: raw(1, false, forSome(post+"Transfer-Encoding: chunked\r\n\r\n", strings.Repeat("0", 10_000), 10_000, 0))},
		{name: "trailers without an end", forwards: 1, strike: raw(1, false, forSome(post+"Transfer-Encoding: chunked\r\n\r\n0\r\n", strings.Repeat("X: y\r\n", 1000), 10_000, 0))},
		{name: "a trailer without an end", forwards: 1, strike: raw(1, false, forSome(post+"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", strings.Repeat("y", 10_000), 10_000, 0))},
		{name: "fields without an end", strike: raw(1, false, forSome(get, strings.Repeat("X: y\r\n", 1000), 10_000, 0))},
		{name: "a field without an end", strike: raw(1, false, forSome(get+"X: ", strings.Repeat("y", 10_000), 10_000, 0))},
		{name: "many different fields", strike: raw(1, false, func() func(*bufio.Writer, int) error {
			var fields strings.Builder
			for i := range 4000 {
				fmt.Fprintf(&fields, "X-%d: y\r\n", i)
			}
			return forSome(get+"Connection: close\r\n"+fields.String()+"\r\n", "", 0, 0)
		}())},
		{name: "a request line without an end", strike: raw(1, false, forSome("GET /", strings.Repeat("y", 10_000), 10_000, 0))},
		{name: "empty lines", strike: raw(1, false, forSome("", strings.Repeat("\r\n", 5_000), 10_000, 0))},
		{name: "bytes of no protocol", strike: raw(1, false, forSome("", strings.Repeat("\x00\xff", 5_000), 10_000, 0))},
		{name: "connections that come and go", stays: true, cpu: time.Second, strike: func(at *target) outcome {
			for i := range 500 {
				conn, err := at.dial()
				if err != nil {
					return outcome{sent: i, err: err}
				}
				conn.Close()
			}
			return outcome{sent: 500}
		}},
		{name: "requests whose clients go", stays: true, forwards: 300, cpu: 3 * time.Second, strike: func(at *target) outcome {
			for i := range 300 {
				conn, err := at.dial()
				if err != nil {
					return outcome{sent: i, err: err}
				}
				io.WriteString(conn, strings.Replace(get, "/", "/wait", 1)+"\r\n")
				conn.Close()
			}
			return outcome{sent: 300}
		}},
		{name: "upgrades to h2c", forwards: 1, strike: raw(1, false, forSome(get+"Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", "", 0, 0))},
	})
}
