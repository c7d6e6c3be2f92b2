//go:build chaos

// Package chaos answers: do clients feel it when backends fail?
//
// It runs the real program before real processes, and kills, stops and breaks
// those while requests flow. It takes a minute: just chaos.
package chaos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test binary its own backend.
func TestMain(m *testing.M) {
	if addr := os.Getenv("CHAOS_BACKEND"); addr != "" {
		serveBackend(addr, os.Getenv("CHAOS_RECORD"))
		return
	}
	os.Exit(m.Run())
}

// serveBackend answers on addr until it is killed. It writes the path of each
// POST to record before it answers.
func serveBackend(addr, record string) {
	posts, err := os.OpenFile(record, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	var mode atomic.Value
	mode.Store("")
	panic(http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/mode":
			mode.Store(r.URL.RawQuery)
			return
		case "/healthz":
			if mode.Load() == "slow" {
				time.Sleep(2 * time.Second)
			}
			return
		}
		if r.Method == http.MethodPost {
			io.WriteString(posts, r.URL.Path+"\n")
		}
		io.Copy(io.Discard, r.Body)
		switch mode.Load() {
		case "503":
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case "reset":
			conn, _, _ := http.NewResponseController(w).Hijack()
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-")
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
			return
		case "reset+late":
			conn, _, _ := http.NewResponseController(w).Hijack()
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
			time.Sleep(5 * time.Millisecond) // so that the header arrives by itself
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
			return
		case "cut":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, addr)
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "slow":
			time.Sleep(2 * time.Second)
		}
		io.WriteString(w, addr)
	})))
}

// backend is a process that serves.
type backend struct {
	t      *testing.T
	addr   string
	record string
	cmd    *exec.Cmd
}

func (b *backend) start() {
	b.cmd = exec.Command(os.Args[0])
	b.cmd.Env = append(os.Environ(), "CHAOS_BACKEND="+b.addr, "CHAOS_RECORD="+b.record)
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	for {
		conn, err := net.Dial("tcp", b.addr)
		if err == nil {
			conn.Close()
			return
		}
		if b.t.Context().Err() != nil {
			return
		}
	}
}

func (b *backend) kill() {
	b.cmd.Process.Signal(syscall.SIGKILL)
	b.cmd.Wait()
}

func (b *backend) mode(mode string) {
	resp, err := http.Get("http://" + b.addr + "/mode?" + mode)
	if err != nil {
		b.t.Fatal(err)
	}
	resp.Body.Close()
}

// faults are what is done to a backend, and how it is undone.
var faults = []struct {
	name     string
	do, undo func(*backend)
	cuts     bool // responses of which a part was passed on
}{
	{"kill -9 and restart at once", func(b *backend) { b.kill(); b.start() }, func(*backend) {}, false},
	{"kill -9", (*backend).kill, (*backend).start, false},
	{"SIGSTOP", func(b *backend) { b.cmd.Process.Signal(syscall.SIGSTOP) }, func(b *backend) { b.cmd.Process.Signal(syscall.SIGCONT) }, false},
	{"reset amid the header", func(b *backend) { b.mode("reset") }, func(b *backend) { b.mode("") }, false},
	{"reset after the header", func(b *backend) { b.mode("reset+late") }, func(b *backend) { b.mode("") }, false},
	{"break off amid the body", func(b *backend) { b.mode("cut") }, func(b *backend) { b.mode("") }, true},
	{"503", func(b *backend) { b.mode("503") }, func(b *backend) { b.mode("") }, false},
	{"slow", func(b *backend) { b.mode("slow") }, func(b *backend) { b.mode("") }, false},
}

// returns is how many half seconds it may take until shares are even again. What
// was out comes back after an interval of probes and their timeout, 2s, or when
// its last ejection ends, which within a fault of 2s grows to 1.5s; then shares
// are measured for a half second, once more if it began amid one.
const returns = 8

// traffic is what clients saw so far.
type traffic struct {
	requests, posts, failed, cut atomic.Int64
	mu                           sync.Mutex
	shares                       map[string]int
	failures                     []string
	answeredPosts                map[string]bool
}

func (tr *traffic) fail(what string) {
	tr.failed.Add(1)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.failures) < 20 {
		tr.failures = append(tr.failures, what)
	}
}

// client sends requests one after the other, over one connection while it
// lasts. It repeats none, as a client of net/http would on the quiet.
func (tr *traffic) client(ctx context.Context, addr string, id int) {
	var conn net.Conn
	var in *bufio.Reader
	for n := 0; ctx.Err() == nil; n++ {
		if conn == nil {
			var err error
			if conn, err = net.Dial("tcp", addr); err != nil {
				tr.fail("connecting: " + err.Error())
				return
			}
			in = bufio.NewReader(conn)
		}
		method, path := "GET", fmt.Sprintf("/%d/%d", id, n)
		switch n % 10 {
		case 8:
			method = "PUT"
		case 9:
			method = "POST"
		}
		body := ""
		if method != "GET" {
			body = "Content-Length: 4\r\n\r\nbody"
		} else {
			body = "\r\n"
		}
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: chaos\r\n%s", method, path, body)
		resp, err := http.ReadResponse(in, nil)
		var text []byte
		if err == nil {
			text, err = io.ReadAll(resp.Body)
		}
		cut := err != nil && len(text) > 0 && resp.StatusCode == http.StatusOK
		if err != nil || resp.Close {
			conn.Close()
			conn = nil
		}
		switch {
		case method == "POST":
			tr.posts.Add(1)
			if err == nil && resp.StatusCode == http.StatusOK {
				tr.mu.Lock()
				tr.answeredPosts[path] = true
				tr.mu.Unlock()
			}
			continue
		case cut:
			tr.cut.Add(1) // what was passed on cannot be taken back
		case err != nil:
			tr.fail(fmt.Sprintf("%s %s: %v", method, path, err))
		case resp.StatusCode != http.StatusOK:
			tr.fail(fmt.Sprintf("%s %s: %d %s", method, path, resp.StatusCode, text))
		default:
			tr.mu.Lock()
			tr.shares[string(text)]++
			tr.mu.Unlock()
		}
		tr.requests.Add(1)
	}
}

func (tr *traffic) takeShares() map[string]int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	shares := tr.shares
	tr.shares = map[string]int{}
	return shares
}

func TestNoErrorThatCouldHaveBeenAvoided(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "spangate")
	if out, err := exec.Command("go", "build", "-o", program, "spangate").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var backends []*backend
	var urls []string
	for i := range 3 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		b := &backend{t: t, addr: ln.Addr().String(), record: filepath.Join(dir, fmt.Sprint("posts-", i))}
		ln.Close()
		b.start()
		t.Cleanup(func() { b.cmd.Process.Signal(syscall.SIGCONT); b.kill() })
		backends, urls = append(backends, b), append(urls, "http://"+b.addr)
	}
	addr, stop := startProgram(t, program, "BACKENDS="+strings.Join(urls, ","),
		"PROBE_PATH=/healthz", "PROBE_INTERVAL=1s", "PROBE_TIMEOUT=1s", "RETRY_TRY_TIMEOUT=1s", "OUTLIER_EJECTION=500ms",
		"OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none", "ACCESS_LOG=off")

	tr := &traffic{shares: map[string]int{}, answeredPosts: map[string]bool{}}
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for id := range 24 {
		clients.Go(func() { tr.client(ctx, addr, id) })
	}
	settle := func(d time.Duration) { // this is how long a fault lasts, not a wait for something
		select {
		case <-time.After(d):
		case <-t.Context().Done():
		}
	}
	settle(500 * time.Millisecond)
	for _, victims := range []int{1, 2} {
		for i, fault := range faults {
			before, failed, cut := tr.requests.Load(), tr.failed.Load(), tr.cut.Load()
			chosen := slices.Concat(backends[i%3:], backends[:i%3])[:victims]
			for _, b := range chosen {
				fault.do(b)
			}
			settle(2 * time.Second)
			for _, b := range chosen {
				fault.undo(b)
			}
			during := tr.requests.Load() - before
			undone := time.Now()
			shares, even := map[string]int{}, false
			for tries := 0; tries < returns && !even; tries++ {
				tr.takeShares()
				settle(500 * time.Millisecond)
				shares = tr.takeShares()
				even = isEven(shares, backends)
			}
			if n := tr.cut.Load() - cut; n > 0 && !fault.cuts {
				t.Errorf("%s at %d of 3: %d responses were cut", fault.name, victims, n)
			}
			if !even {
				t.Errorf("%s at %d of 3: shares are not even again: %v", fault.name, victims, shares)
			}
			t.Logf("%s at %d of 3: %d requests during the fault, %d failed and %d cut since it began, even again after %v: %v",
				fault.name, victims, during, tr.failed.Load()-failed, tr.cut.Load()-cut, time.Since(undone).Round(100*time.Millisecond), shares)
		}
	}
	for tr.requests.Load() < 100_000 && t.Context().Err() == nil {
		settle(100 * time.Millisecond)
	}
	cancel()
	clients.Wait()
	stop()

	if n := tr.failed.Load(); n > 0 {
		t.Errorf("%d of %d idempotent requests failed, among them:\n%s", n, tr.requests.Load(), strings.Join(tr.failures, "\n"))
	}
	seen := map[string]int{}
	for _, b := range backends {
		text, err := os.ReadFile(b.record)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			seen[strings.TrimSpace(line)]++
		}
	}
	for path, n := range seen {
		if n > 1 {
			t.Errorf("POST %s reached backends %d times", path, n)
		}
	}
	for path := range tr.answeredPosts {
		if seen[path] == 0 {
			t.Errorf("POST %s was answered by nobody", path)
		}
	}
	t.Logf("%d idempotent requests, %d failed, %d cut after their first bytes, %d POSTs of which %d reached a backend",
		tr.requests.Load(), tr.failed.Load(), tr.cut.Load(), tr.posts.Load(), len(seen))
}

// isEven reports whether each backend got a third of the requests, or nearly.
func isEven(shares map[string]int, backends []*backend) bool {
	total := 0
	for _, n := range shares {
		total += n
	}
	for _, b := range backends {
		if share := float64(shares[b.addr]) / float64(total); !(share > 0.30 && share < 0.37) {
			return false
		}
	}
	return true
}

// startProgram runs the program and returns where it listens, and how to end it.
func startProgram(t *testing.T, program string, environ ...string) (addr string, stop func()) {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = append([]string{"HOST=127.0.0.1", "PORT=0"}, environ...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var log bytes.Buffer
	for addr == "" && lines.Scan() {
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			addr = line.Address
		}
		fmt.Fprintln(&log, lines.Text())
	}
	if addr == "" {
		t.Fatalf("the program does not listen: %s", &log)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
			if testing.Verbose() {
				t.Log(lines.Text())
			}
		}
	}()
	stop = sync.OnceFunc(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-drained
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return addr, stop
}
