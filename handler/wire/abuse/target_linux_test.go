package abuse

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience bounds each wait: far longer than any of them takes, so that it ends
// a test that is stuck and never one that is slow.
const patience = 30 * time.Second

// target is the program, running.
type target struct {
	t       *testing.T
	address string
	pid     int
	backend *backend
	tls     *tls.Config   // of its clients; nil: without TLS
	ended   chan struct{} // closed with the process

	mu       sync.Mutex
	warnings map[string]int // lines of the log by what they say
}

// said returns how many warnings have said so.
func (p *target) said(msg string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.warnings[msg]
}

// note takes note of a line of the log.
func (p *target) note(line []byte) {
	var said struct{ Msg, Level string }
	if !bytes.Contains(line, []byte(`"WARN"`)) || json.Unmarshal(line, &said) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.warnings[said.Msg]++
}

// startProxy returns once the program listens. Its environment is what is given
// and nothing else.
func startProxy(t *testing.T, env ...string) *target {
	t.Helper()
	b := startBackend(t)
	return startProxyBefore(t, b, b.url, env...)
}

// startProxyBefore is startProxy before a backend that it reaches at url.
func startProxyBefore(t *testing.T, b *backend, url string, env ...string) *target {
	t.Helper()
	p := &target{t: t, backend: b, ended: make(chan struct{}), warnings: make(map[string]int)}
	cmd := exec.Command(binary)
	cmd.Env = append([]string{"HOST=127.0.0.1", "PORT=0", "OTEL_SDK_DISABLED=true", "BACKENDS=" + url}, env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = cmd.Process.Pid
	listening := make(chan string, 1)
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var line struct{ Msg, Address string }
			if bytes.Contains(lines.Bytes(), []byte(`"listening"`)) && json.Unmarshal(lines.Bytes(), &line) == nil {
				listening <- line.Address
			}
			p.note(lines.Bytes())
		}
		io.Copy(io.Discard, stdout)
		cmd.Wait()
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-p.ended
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("the program wrote: %.4000s", &stderr)
		}
	})
	select {
	case p.address = <-listening:
	case <-p.ended:
		t.Fatalf("the program ended before it listened: %s", &stderr)
	case <-time.After(patience):
		t.Fatal("the program never said that it listens")
	}
	return p
}

// alive fails the test if the process has ended.
func (p *target) alive(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
		t.Error("the program has ended")
	default:
	}
}

// dial connects, without TLS.
func (p *target) dial() (net.Conn, error) { return net.DialTimeout("tcp", p.address, patience) }

// dialFor connects in order to speak a protocol of ALPN, over TLS if that is spoken.
func (p *target) dialFor(protocol string) (net.Conn, error) {
	conn, err := p.dial()
	if err != nil || p.tls == nil {
		return conn, err
	}
	cfg := p.tls.Clone()
	cfg.NextProtos = []string{protocol}
	secure := tls.Client(conn, cfg)
	secure.SetDeadline(time.Now().Add(patience))
	if err := secure.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// usage is what a process has used so far.
type usage struct {
	cpu            time.Duration
	resident, peak int // bytes; peak is since the last usage
}

// usage reads it from /proc, see proc(5).
func (p *target) usage(t *testing.T) usage {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", p.pid)
	stat, err1 := os.ReadFile(dir + "stat")
	status, err2 := os.ReadFile(dir + "status")
	err3 := os.WriteFile(dir+"clear_refs", []byte("5"), 0) // the peak begins anew
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(stat), ") ")
	const ticks = 100 // of a second, on all of Linux
	value := strings.Fields(fields)
	var u usage
	for _, field := range value[11:13] { // utime, stime
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		u.cpu += time.Duration(n) * time.Second / ticks
	}
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %d kB", &u.resident)
		fmt.Sscanf(line, "VmHWM: %d kB", &u.peak)
	}
	u.resident, u.peak = u.resident<<10, u.peak<<10
	return u
}

// backend is a server that counts what attackers make it do.
type backend struct {
	url      string
	attacked atomic.Int64  // requests, but for a bystander's
	busy     atomic.Int64  // requests that are being handled
	over     chan struct{} // closed when nobody is to wait any more
}

func startBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{over: make(chan struct{})}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(b.over) })
	b.url = server.URL
	return b
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/other" {
		io.WriteString(w, "hello")
		return
	}
	b.attacked.Add(1)
	b.busy.Add(1)
	defer b.busy.Add(-1)
	switch r.URL.Path {
	case "/wait": // until the proxy gives up
		io.Copy(io.Discard, r.Body)
		b.wait(r)
	case "/unread": // of the body
		b.wait(r)
	case "/large":
		b.write(w, 64)
	case "/endless":
		b.write(w, 1<<20)
	default:
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello")
	}
}

func (b *backend) write(w io.Writer, pieces int) {
	piece := make([]byte, 64<<10)
	for range pieces {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

func (b *backend) wait(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-b.over:
	}
}

// bystander is a client like any other, whose requests must not suffer.
type bystander struct {
	client *http.Client
	url    string
	failed int
	err    error // of the first that failed
}

// watch returns a bystander that has made itself known.
func watch(t *testing.T, p *target) *bystander {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 1, TLSClientConfig: p.tls}
	scheme := "http://"
	if p.tls != nil {
		scheme = "https://"
	}
	t.Cleanup(transport.CloseIdleConnections)
	b := &bystander{client: &http.Client{Transport: transport, Timeout: patience}, url: scheme + p.address + "/other"}
	for range 50 {
		if _, err := b.ask(); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// during has the bystander ask while f runs, and returns how long each of its
// requests took.
func (b *bystander) during(f func()) (took []time.Duration) {
	done := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond): // it is no flood itself
			}
			d, err := b.ask()
			if err != nil {
				b.failed++
				b.err = errors.Join(b.err, err)
				continue
			}
			took = append(took, d)
		}
	})
	f()
	close(done)
	asking.Wait()
	return took
}

// ask makes one request. It is a POST because a client repeats a GET by itself
// when a connection breaks, and so hides that the first one was lost.
func (b *bystander) ask() (time.Duration, error) {
	began := time.Now()
	res, err := b.client.Post(b.url, "text/plain", http.NoBody)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || string(body) != "hello") {
		err = fmt.Errorf("status %d, body %q", res.StatusCode, body)
	}
	return time.Since(began), err
}

// endOf says how a connection has ended that a read of failed with err.
func endOf(err error) string {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "close"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	}
	return ""
}
