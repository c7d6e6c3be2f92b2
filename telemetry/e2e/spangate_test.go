// Package e2e answers whether the real program and a real OpenTelemetry
// Collector understand one another: it builds both, runs each as a process and
// compares what clients and backends saw with what the collector received.
//
// It is a module of its own, so that the collector's dependencies stay out of
// the program's go.mod.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	spangateBinary  string
	collectorBinary string
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "spangate")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	cache, err := os.UserCacheDir()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	// As just build and the Containerfile build it.
	spangateBinary = filepath.Join(dir, "spangate")
	program := exec.Command("go", "build", "-o", spangateBinary, "-buildvcs=false",
		"-trimpath", "-ldflags=-s -w", ".")
	program.Dir = "../.."
	program.Env = append(os.Environ(), "CGO_ENABLED=0")

	// Linking takes seconds, and go build leaves alone what is up to date.
	// Without flags, so that what vet or test compiled is not compiled again.
	collectorBinary = filepath.Join(cache, "spangate", "collector")
	collector := exec.Command("go", "build", "-o", collectorBinary, "-buildvcs=false", "./collector")

	for _, cmd := range []*exec.Cmd{program, collector} {
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %v\n%s", cmd, err, out)
			return 1
		}
	}
	return m.Run()
}

// spangate is the program under test.
type spangate struct {
	*process
	url string // where it listens, without a slash at the end
}

// startSpangate returns once the program listens. Its environment is what is
// given and nothing else, so that variables of the caller's do not decide.
func startSpangate(t testing.TB, env ...string) *spangate {
	t.Helper()
	cmd := exec.Command(spangateBinary)
	cmd.Env = append([]string{"HOST=127.0.0.1", "PORT=0"}, env...)
	return launch(t, cmd)
}

// launch hands each line of the program's log to all of log.
func launch(t testing.TB, cmd *exec.Cmd, log ...func(line []byte)) *spangate {
	t.Helper()
	listening := make(chan string, 1)
	p := start(t, cmd, func(line []byte) {
		for _, write := range log {
			write(line)
		}
		if !bytes.Contains(line, []byte(`"listening"`)) {
			return
		}
		var entry struct{ Msg, Message, Address string }
		if json.Unmarshal(line, &entry) == nil && (entry.Msg == "listening" || entry.Message == "listening") {
			listening <- entry.Address
		}
	}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case address := <-listening:
		return &spangate{process: p, url: "http://" + address}
	case <-p.done:
		t.Fatalf("spangate ended before it listened: %v", p.err)
	case <-ctx.Done():
		t.Fatal("spangate never said that it listens")
	}
	return nil
}

// backends are real HTTP servers, as many as there are names, which note what
// each request told them of its trace.
type backends struct {
	urls []string

	mu     sync.Mutex
	seen   map[string]sight // by the request's X-Request
	served int
}

type sight struct{ Backend, Traceparent string }

// backendTime is how long a backend takes for its answer: long enough for
// requests of several connections to be in flight at any time.
const backendTime = 3 * time.Millisecond

func startBackends(t testing.TB, names ...string) *backends {
	t.Helper()
	b := &backends{seen: make(map[string]sight)}
	for _, name := range names {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b.mu.Lock()
			b.seen[r.Header.Get("X-Request")] = sight{name, r.Header.Get("Traceparent")}
			b.served++
			b.mu.Unlock()
			time.Sleep(backendTime)
			io.Copy(w, r.Body)
		}))
		t.Cleanup(server.Close)
		b.urls = append(b.urls, server.URL)
	}
	return b
}

func (b *backends) environment() string {
	return "BACKENDS=" + strings.Join(b.urls, ",")
}

// post sends request n, with a trace context of its own if it is traced, and
// returns an error unless the backend's whole answer came. It is a POST because
// an HTTP client repeats a GET by itself when a connection breaks, and so hides
// that the first one was lost.
func post(ctx context.Context, client *http.Client, url string, n int, traced bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/hello", strings.NewReader("hello"))
	if err != nil {
		return err
	}
	req.Header.Set("X-Request", fmt.Sprint(n))
	if traced {
		req.Header.Set("Traceparent", fmt.Sprintf("00-%s-%s-01", traceID(n), parentID(n)))
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || string(body) != "hello" {
		return fmt.Errorf("status %d, body %q", res.StatusCode, body)
	}
	return nil
}

// traceID and parentID are what post sends as the trace context of request n.
func traceID(n int) string  { return fmt.Sprintf("%032x", n) }
func parentID(n int) string { return fmt.Sprintf("%016x", n) }
