package conformance

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A payload is a request, mostly one that its reader could take in several ways.
// In its texts {P} stands for a path of its own, {S} for a whole request that is
// not to be taken for one, and {L} and {X} for its length, decimal and hexadecimal,
// {L+5} and {X+5} for 5 more.
type payload struct {
	name string
	raw  string // of HTTP/1.1
	want string // what is to come of it
	body string // that the backend gets, where the payload is relayed
}

// What comes of a payload, behind which {S} may be a request of its own and there
// is always another one: whose answers the client gets, in this order. An error is
// the proxy's, and the connection ends behind the last one.
const (
	refused    = "error" // what stands behind could be anything
	declined   = "error next"
	relayed    = "itself next"
	bothPassed = "itself inner next"
	switched   = "itself" // or it might have been: the connection carries no other request
)

const inner = "GET /inner/{N} HTTP/1.1\r\nHost: a\r\nX-Inner: 1\r\n\r\n"

// nth replaces what stands in s for others, for the payload of that number.
func nth(number int, s string) string {
	n := fmt.Sprintf("%03d", number)
	length := int64(len(inner)) // {N} has as many bytes as a number
	return strings.NewReplacer("{P}", "/itself/"+n, "{S}", strings.ReplaceAll(inner, "{N}", n), "{N}", n,
		"{L}", strconv.FormatInt(length, 10), "{X}", strconv.FormatInt(length, 16),
		"{L+5}", strconv.FormatInt(length+5, 10), "{X+5}", strconv.FormatInt(length+5, 16)).Replace(s)
}

// numbered finds out whom a target belongs to.
var numbered = regexp.MustCompile(`/(itself|inner|next)/(\d{3})`)

// TestSmuggling sends payloads to a backend, and holds what comes there against
// all readings: no two of them may differ, and nobody but the proxy may say what is
// a request.
func TestSmuggling(t *testing.T) {
	certificate, key := certificateFiles(t)
	overTLS := []string{"TLS_CERT_FILE=" + certificate, "TLS_KEY_FILE=" + key}
	for name, way := range map[string]struct {
		env  []string
		dial func(addr string) (net.Conn, error)
		send func(conn net.Conn, number int) (answers []string, err error)
		all  []payload
	}{
		"HTTP1":          {nil, inTheClearTo, sendHTTP1, http1Payloads},
		"HTTP1 over TLS": {overTLS, overTLSTo("http/1.1"), sendHTTP1, http1Payloads},
		"HTTP2":          {nil, inTheClearTo, sendHTTP2, http2Payloads},
		"HTTP2 over TLS": {overTLS, overTLSTo("h2"), sendHTTP2, http2Payloads},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			backend := newRecorder(t)
			// A payload that is not whole is waited for.
			p, err := startProgram(append(way.env, "BACKENDS=http://"+backend.addr(), "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "ACCESS_LOG=off", "CLIENT_TIMEOUT=500ms")...)
			if err != nil {
				t.Fatal(err)
			}
			answers := make([][]string, len(way.all))
			var sending sync.WaitGroup
			slots := make(chan bool, 32)
			for i := range way.all {
				slots <- true
				sending.Go(func() {
					defer func() { <-slots }()
					conn, err := way.dial(p.addr)
					if err != nil {
						t.Error(err)
						return
					}
					defer conn.Close()
					conn.SetDeadline(time.Now().Add(patience))
					if answers[i], err = way.send(conn, i); err != nil {
						t.Errorf("%s: %v after %q", way.all[i].name, err, answers[i])
					}
				})
			}
			sending.Wait()
			if err := p.stop(); err != nil {
				t.Error(err)
			}
			requests := backend.requests(t, way.all)
			passed := 0
			for i, payload := range way.all {
				if t.Run(payload.name, func(t *testing.T) { hold(t, payload, i, answers[i], requests[i]) }) {
					passed++
				}
			}
			summary.add(t.Name(), passed, len(way.all)-passed, started)
		})
	}
}

// hold compares what came of a payload with what is to come of it.
func hold(t *testing.T, p payload, number int, answers []string, requests []read) {
	t.Helper()
	if diff := cmp.Diff(p.want, strings.Join(answers, " ")); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	var forwarded []string
	for _, r := range requests {
		if !r.Complete {
			continue
		}
		name, _ := whose(r.Target)
		forwarded = append(forwarded, name)
		if body := nth(number, p.body); name == "itself" && r.Body != body {
			t.Errorf("its body is %q, not %q", r.Body, body)
		}
	}
	answered := slices.DeleteFunc(slices.Clone(answers), func(a string) bool { return a == "error" })
	slices.Sort(forwarded)
	slices.Sort(answered)
	if diff := cmp.Diff(strings.Join(answered, " "), strings.Join(forwarded, " ")); diff != "" {
		t.Errorf("who was answered, and whom the backend has (-answered +forwarded):\n%s", diff)
	}
}

// whose returns which request of which payload a target is of; if of none that is -1.
func whose(target string) (request string, payload int) {
	match := numbered.FindStringSubmatch(target)
	if match == nil {
		return target, -1
	}
	payload, _ = strconv.Atoi(match[2])
	return match[1], payload
}

func inTheClearTo(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }

func overTLSTo(protocol string) func(addr string) (net.Conn, error) {
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}}
	return func(addr string) (net.Conn, error) { return tls.Dial("tcp", addr, config) }
}

// sendHTTP1 sends a payload, with another request behind it, and returns the
// answers until the connection ends.
func sendHTTP1(conn net.Conn, number int) (answers []string, err error) {
	raw := nth(number, http1Payloads[number].raw)
	// What is refused early may not be taken to its end.
	go io.WriteString(conn, raw+nth(number, "GET /next/{N} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
	method, _, _ := strings.Cut(strings.TrimSpace(raw), " ")
	for in := bufio.NewReader(conn); ; method = "GET" {
		if _, err := in.Peek(1); err == io.EOF {
			return answers, nil
		}
		answer, err := readAnswer(in, method)
		if err != nil {
			return answers, err
		}
		answers = append(answers, answer)
	}
}

// readAnswer returns whose answer it is that comes, or error.
func readAnswer(in *bufio.Reader, method string) (string, error) {
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return "", err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return "", err
		}
		if resp.StatusCode >= 200 {
			return answeredTo(resp.Header.Get("X-Target")), nil
		}
	}
}

// answeredTo returns which request a backend's answer is to that says so; an answer
// that does not is an error of the proxy's.
func answeredTo(target string) string {
	if target == "" {
		return "error"
	}
	request, _ := whose(target)
	return request
}

// A recorder is a backend that keeps what comes to it, and answers as net/http
// would. Each answer says to which target it is.
type recorder struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu       sync.Mutex
	received []*bytes.Buffer // by connection
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{listener: listener}
	r.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			received := new(bytes.Buffer)
			r.mu.Lock()
			r.received = append(r.received, received)
			r.mu.Unlock()
			r.serving.Go(func() { serveRecorded(conn, io.TeeReader(conn, received)) })
		}
	})
	t.Cleanup(func() { listener.Close() })
	return r
}

func (r *recorder) addr() string { return r.listener.Addr().String() }

func serveRecorded(conn net.Conn, in io.Reader) {
	defer conn.Close()
	for buffered := bufio.NewReader(in); ; {
		request, err := http.ReadRequest(buffered)
		if err == nil {
			if request.Header.Get("Expect") != "" {
				io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
			}
			_, err = io.Copy(io.Discard, request.Body)
		}
		if err != nil {
			io.Copy(io.Discard, in)
			return
		}
		status := "200 OK"
		if request.Header.Get("Upgrade") != "" {
			status = "426 Upgrade Required\r\nUpgrade: x"
		}
		fmt.Fprintf(conn, "HTTP/1.1 %s\r\nX-Target: %s\r\nContent-Length: 0\r\n\r\n", status, request.RequestURI)
	}
}

// requests returns what came, by the number of the payload that it belongs to, once
// the proxy has ended.
func (r *recorder) requests(t *testing.T, payloads []payload) map[int][]read {
	t.Helper()
	r.listener.Close()
	r.serving.Wait()
	all := make(map[int][]read)
	for _, received := range r.received {
		strict, err := readings["strict"].all(received.Bytes())
		if err != nil && err != io.ErrUnexpectedEOF {
			t.Errorf("behind %s the backend has what is no request: %v\n%.1000q", lastOf(strict, payloads), err, received)
		}
		for name, w := range readings {
			requests, _ := w.all(received.Bytes())
			for i := range max(len(requests), len(strict)) {
				ours, theirs := slices.Clip(strict)[min(i, len(strict)):min(i+1, len(strict))], requests[min(i, len(requests)):min(i+1, len(requests))]
				if diff := cmp.Diff(ours, theirs); diff != "" {
					t.Errorf("%s: other requests come of it (-strict +%s):\n%s", lastOf(strict[:min(i+1, len(strict))], payloads), name, diff)
					break
				}
			}
		}
		for _, request := range strict {
			name, number := whose(request.Target)
			if number < 0 {
				t.Errorf("the backend has %+v", request)
				continue
			}
			all[number] = append(all[number], request)
			if !request.has("x-forwarded-for") || request.has("x-inner") != (name == "inner") {
				t.Errorf("%s: the backend has %+v", payloads[number].name, request)
			}
		}
	}
	return all
}

// lastOf returns the name of the payload of the last of requests.
func lastOf(requests []read, payloads []payload) string {
	if len(requests) > 0 {
		if _, number := whose(requests[len(requests)-1].Target); number >= 0 {
			return payloads[number].name
		}
	}
	return "nothing"
}
