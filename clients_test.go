package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dial returns a connection that ends with the test, and fails after a minute.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

// sendRaw sends text to addr and returns what comes back until the connection
// ends.
func sendRaw(t *testing.T, addr, text string) string {
	t.Helper()
	conn := dial(t, addr)
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%q, then %v", answer, err)
	}
	return string(answer)
}

// admitted does it with a request that must be answered with 200.
func admitted(t *testing.T, addr, text string) {
	t.Helper()
	if answer := sendRaw(t, addr, text); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Fatalf("%.300q: answered %q", text, answer)
	}
}

// session is a connection of HTTP/1 that is kept.
type session struct {
	net.Conn
	in *bufio.Reader
}

func (p *program) session(t *testing.T) session {
	t.Helper()
	conn := dial(t, p.addr)
	return session{conn, bufio.NewReader(conn)}
}

// ask sends a request and returns the answer: status and body, and its header.
func (s session) ask(t *testing.T, request string) (brief string, header http.Header) {
	t.Helper()
	if _, err := io.WriteString(s, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, body := s.response(t, method)
	if resp.Close {
		resp.Header.Set("Connection", "close") // net/http takes it out
	}
	return briefly(fmt.Sprint(resp.StatusCode), body), resp.Header
}

// response reads the answer to a request with that method, and all of its body.
func (s session) response(t *testing.T, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(s.in, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// ended fails the test unless the server closes the connection without another
// byte.
func (s session) ended(t *testing.T) {
	t.Helper()
	if rest, err := io.ReadAll(s.in); err != nil || len(rest) > 0 {
		t.Errorf("then %q, %v", rest, err)
	}
}

// briefly is the status and what the body says: the detail of a problem, the
// text of a refusal, or all of it.
func briefly(status, body string) string {
	var problem struct{ Detail string }
	if json.Unmarshal([]byte(body), &problem) == nil && problem.Detail != "" {
		body = problem.Detail
	}
	return strings.TrimSpace(status + " " + strings.TrimPrefix(strings.TrimSpace(body), "400 Bad Request: malformed message: "))
}

func brieflyHTTP2(answer string) string {
	status, body, _ := strings.Cut(answer, " ")
	return briefly(status, body)
}

func brieflyHTTP1(t *testing.T, answer string) string {
	t.Helper()
	head, body, found := strings.Cut(answer, "\r\n\r\n")
	if !found || len(head) < len("HTTP/1.1 200") {
		t.Fatalf("no answer: %q", answer)
	}
	return briefly(head[9:12], body)
}

// h2cTransport speaks HTTP/2 with prior knowledge.
func h2cTransport(t *testing.T) *http.Transport {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// What a caller names as the parent of its request.
const (
	callersTrace  = "0af7651916cd43dd8448eb211c80319c"
	callersSpan   = "b7ad6b7169203331"
	callersParent = "00-" + callersTrace + "-" + callersSpan // less the flags of traceparent
)
