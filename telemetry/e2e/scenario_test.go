package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A scenario is something that happens to requests or backends, and the trees
// of spans that tell of it, whoever receives them.
type scenario struct {
	play func(*stage)
	want string
}

// remote is a trace context of a client's.
const remote = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// scenarios are by name. What a backend answers is told by status, saying and
// refusing; probes are off where none is the subject.
var scenarios = map[string]scenario{
	"success": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.status(200))
			s.get(200)
		},
		want: `
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success
  GET CLIENT Unset http.response.status_code=200
`,
	},
	"refused, then answered by another backend": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.refusing()+","+s.status(200))
			s.get(200)
		},
		want: `
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success
  GET CLIENT Error error.type=connection_refused
  retry INTERNAL Unset spangate.retry.reason=connection_refused spangate.retry.attempt=1
  GET CLIENT Unset http.response.status_code=200 http.request.resend_count=1 link=2
`,
	},
	"all attempts fail": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.status(503)+","+s.refusing())
			s.get(503)
		},
		want: `
GET SERVER Error http.response.status_code=503 error.type=503 spangate.retry.stop_reason=max_attempts
  GET CLIENT Error http.response.status_code=503 error.type=503
  retry INTERNAL Unset spangate.retry.reason=503 spangate.retry.attempt=1
  GET CLIENT Error error.type=connection_refused http.request.resend_count=1 link=2
  retry INTERNAL Unset spangate.retry.reason=connection_refused spangate.retry.attempt=2
  GET CLIENT Error http.response.status_code=503 error.type=503 http.request.resend_count=2 link=4
`,
	},
	"not idempotent": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.saying("HTTP/1.1 200 OK\r\nX: "))
			s.send(s.t.Context(), 502, "POST", strings.NewReader("sum"))
		},
		want: `
POST SERVER Error http.response.status_code=502 error.type=connection_reset spangate.retry.stop_reason=not_idempotent
  POST CLIENT Error error.type=connection_reset
`,
	},
	"rate limit allows and denies": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "RATE_LIMIT=1/h", "BACKENDS="+s.status(200))
			s.get(200)
			s.get(429)
		},
		want: `
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success
  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed
  GET CLIENT Unset http.response.status_code=200
GET SERVER Unset http.response.status_code=429
  rate_limit INTERNAL Unset spangate.rate_limit.result=denied
`,
	},
	"probes fail, then succeed": {
		play: func(s *stage) {
			backend := s.prompted()
			s.start("PROBE_PATH=/healthz", "PROBE_INTERVAL=10ms", "PROBE_TIMEOUT=1m", "PROBE_FALL=2", "BACKENDS="+backend.url)
			for _, step := range []struct {
				statuses []int
				to       string
			}{{[]int{200}, "ready"}, {[]int{503, 503}, "down"}, {[]int{200}, "ready"}} {
				from := s.mark()
				for _, status := range step.statuses {
					backend.answer(s.t, status)
				}
				s.await(from, `"to":"`+step.to+`"`)
			}
		},
		want: `
probe INTERNAL Unset spangate.probe.type=http
  GET CLIENT Unset http.response.status_code=200
backend_state_change INTERNAL Unset spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=1
probe INTERNAL Error error.type=503 spangate.probe.type=http
  GET CLIENT Error http.response.status_code=503
probe INTERNAL Error error.type=503 spangate.probe.type=http
  GET CLIENT Error http.response.status_code=503
backend_state_change INTERNAL Unset spangate.backend.state=down spangate.backend.reason=probe_failed link=4 link=6
probe INTERNAL Unset spangate.probe.type=http
  GET CLIENT Unset http.response.status_code=200
backend_state_change INTERNAL Unset spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=9
`,
	},
	"an outlier is ejected and returns": {
		play: func(s *stage) {
			var asked atomic.Int64
			failing := s.serve(func(w http.ResponseWriter, _ *http.Request) {
				if asked.Add(1) <= 2 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			s.start("PROBE_MODE=off", "RETRY_ATTEMPTS=0", "TRACE_TRUST=trust", "OUTLIER_MAX_PERCENT=100",
				"OUTLIER_FAILURES=2", "OUTLIER_EJECTION=50ms", "BACKENDS="+failing+","+s.status(200))
			for _, status := range []int{503, 200, 503} { // taking turns
				s.get(status)
			}
			// How many requests it takes is no matter, and these leave no trace.
			for asked.Load() == 2 {
				s.get(200, "Traceparent: "+strings.TrimSuffix(remote, "1")+"0")
			}
		},
		want: `
GET SERVER Error http.response.status_code=503 error.type=503 spangate.retry.stop_reason=max_attempts
  GET CLIENT Error http.response.status_code=503 error.type=503
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success
  GET CLIENT Unset http.response.status_code=200
GET SERVER Error http.response.status_code=503 error.type=503 spangate.retry.stop_reason=max_attempts
  GET CLIENT Error http.response.status_code=503 error.type=503
backend_state_change INTERNAL Unset spangate.backend.state=ejected spangate.backend.reason=outlier link=2 link=6
backend_state_change INTERNAL Unset spangate.backend.state=unknown spangate.backend.reason=ejection_ended
`,
	},
	"the client goes away": {
		play: func(s *stage) {
			ctx, leave := context.WithCancel(s.t.Context())
			gone := make(chan struct{})
			s.start("PROBE_MODE=off", "BACKENDS="+s.serve(func(_ http.ResponseWriter, r *http.Request) {
				leave()
				<-r.Context().Done()
				close(gone)
			}))
			s.send(ctx, 0, "GET", nil)
			<-gone
			s.await(0, `"status":499`)
		},
		want: `
GET SERVER Error http.response.status_code=499 error.type=client_disconnected spangate.retry.stop_reason=client_disconnected
  GET CLIENT Unset
`,
	},
	"the backend is lost amid the body": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.saying("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))
			s.send(s.t.Context(), 0, "GET", nil)
		},
		want: `
GET SERVER Error http.response.status_code=200 error.type=backend_reset spangate.retry.stop_reason=success
  GET CLIENT Error http.response.status_code=200 error.type=backend_reset
`,
	},
	"a trusted parent is continued": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.0/8", "BACKENDS="+s.status(200))
			s.get(200, "Traceparent: "+remote)
		},
		want: `
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success parent=elsewhere
  GET CLIENT Unset http.response.status_code=200
`,
	},
	"an untrusted parent is linked": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.status(200))
			s.get(200, "Traceparent: "+remote)
		},
		want: `
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success link=elsewhere
  GET CLIENT Unset http.response.status_code=200
`,
	},
	"an upgraded connection": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.serve(echoUpgraded))
			s.upgrade()
		},
		want: `
GET SERVER Unset http.response.status_code=101 spangate.retry.stop_reason=success
  GET CLIENT Unset http.response.status_code=101
`,
	},
	"a call over HTTP/2 with trailers": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.h2c(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(w, r.Body)
				w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
			}))
			s.call()
		},
		want: `
POST SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success network.protocol.version=2
  POST CLIENT Unset http.response.status_code=200 network.protocol.version=2
`,
	},
}

// stage is where a scenario is played: a program that exports to whom the test
// says, between clients and backends. All of it ends with the test.
type stage struct {
	t      *testing.T
	export []string // variables of its environment
	*spangate

	mu   sync.Mutex
	text bytes.Buffer  // what it wrote so far
	more chan struct{} // closed and replaced when it has written
}

// playOn plays s to its end, which is also that of the program: all its spans
// have left it then.
func (s scenario) playOn(t *testing.T, export ...string) {
	t.Helper()
	st := &stage{t: t, export: export, more: make(chan struct{})}
	s.play(st)
	if err := st.terminate(t); err != nil {
		t.Errorf("spangate ended: %v", err)
	}
}

func (s *stage) start(environ ...string) {
	s.t.Helper()
	cmd := exec.Command(spangateBinary)
	cmd.Env = append(append([]string{"HOST=127.0.0.1", "PORT=0"}, s.export...), environ...)
	s.spangate = launch(s.t, cmd, func(line []byte) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.text.Write(line)
		close(s.more)
		s.more = make(chan struct{})
	})
}

// mark is the place in the program's log that its next line will have.
func (s *stage) mark() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Len()
}

// await returns when the program has written text after a mark.
func (s *stage) await(mark int, text string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		s.mu.Lock()
		found, more := bytes.Contains(s.text.Bytes()[mark:], []byte(text)), s.more
		s.mu.Unlock()
		if found {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			s.t.Fatalf("spangate never wrote %s", text)
		}
	}
}

func (s *stage) get(status int, header ...string) {
	s.t.Helper()
	s.send(s.t.Context(), status, "GET", nil, header...)
}

// send makes a request on a connection of its own. Status 0 says that no whole
// response is to come.
func (s *stage) send(ctx context.Context, status int, method string, body io.Reader, header ...string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, s.url, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, field := range header {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Set(name, value)
	}
	// A transport, because a client would follow and repeat on its own.
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err == nil {
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
	}
	switch {
	case status == 0 && err == nil:
		s.t.Fatalf("%s was answered whole, with status %d", method, resp.StatusCode)
	case status != 0 && err != nil:
		s.t.Fatal(err)
	case status != 0 && resp.StatusCode != status:
		s.t.Fatalf("%s was answered with status %d, want %d", method, resp.StatusCode, status)
	}
}

// upgrade speaks another protocol for one line and hangs up.
func (s *stage) upgrade() {
	s.t.Helper()
	address := strings.TrimPrefix(s.url, "http://")
	conn, err := new(net.Dialer).DialContext(s.t.Context(), "tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", address)
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("status %d, want 101", resp.StatusCode)
	}
	io.WriteString(conn, "hello\n")
	if line, err := in.ReadString('\n'); line != "hello\n" {
		s.t.Fatalf("%q came back: %v", line, err)
	}
}

// echoUpgraded switches to a protocol in which each line comes back.
func echoUpgraded(w http.ResponseWriter, _ *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	io.Copy(conn, rw)
}

// call is what a gRPC client does, as far as a proxy sees it.
func (s *stage) call() {
	s.t.Helper()
	client := newClient(true)
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(s.t.Context(), "POST", s.url, strings.NewReader("hello"))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	resp, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "hello" || resp.Trailer.Get("Grpc-Status") != "0" {
		s.t.Fatalf("body %q, trailer %v, error %v", body, resp.Trailer, err)
	}
}

// serve returns the URL of a backend, as status, saying, refusing and h2c do.
func (s *stage) serve(handle http.HandlerFunc) string {
	server := httptest.NewServer(handle)
	s.t.Cleanup(server.Close)
	return server.URL
}

func (s *stage) status(code int) string {
	return s.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

// saying is a backend that answers with this text and closes the connection.
func (s *stage) saying(text string) string {
	return s.serve(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		io.WriteString(conn, text)
		conn.Close()
	})
}

func (s *stage) h2c(handle http.HandlerFunc) string {
	server := httptest.NewUnstartedServer(handle)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	s.t.Cleanup(server.Close)
	return "h2c" + strings.TrimPrefix(server.URL, "http")
}

// prompted is a backend that answers when, and with what, the test says.
type prompted struct {
	url   string
	asked chan chan<- int // each request that waits for its status
}

func (s *stage) prompted() *prompted {
	b := &prompted{asked: make(chan chan<- int)}
	b.url = s.serve(func(w http.ResponseWriter, r *http.Request) {
		status := make(chan int, 1)
		select {
		case b.asked <- status:
			w.WriteHeader(<-status)
		case <-r.Context().Done():
		}
	})
	return b
}

func (b *prompted) answer(t *testing.T, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case asked := <-b.asked:
		asked <- status
	case <-ctx.Done():
		t.Fatal(errors.New("the backend was never asked"))
	}
}
