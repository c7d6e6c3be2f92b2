package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

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
