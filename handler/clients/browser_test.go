// Package clients answers: what do clients that others wrote make of the proxy? It
// builds the program, and runs it and them as processes: a headless Chromium, whose
// pages' scripts call it, and what npm has.
//
// It is a module of its own, so that what drives the browser stays out of the
// program's go.mod.
package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// patience bounds each wait for another process: far longer than any of them
// takes, so that it ends a test that is stuck and never one that is slow.
const patience = time.Minute

var (
	spangateBinary string
	chromiumBinary string
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			chromiumBinary = path
			break
		}
	}
	if chromiumBinary == "" {
		return m.Run() // each test says so
	}
	dir, err := os.MkdirTemp("", "spangate")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)

	// As just build and the Containerfile build it.
	spangateBinary = filepath.Join(dir, "spangate")
	build := exec.Command("go", "build", "-o", spangateBinary, "-buildvcs=false",
		"-trimpath", "-ldflags=-s -w", ".")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %v\n%s", build, err, out)
		return 1
	}
	return m.Run()
}

// startBrowser returns a context in which pages can be opened.
func startBrowser(t *testing.T, flags ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	if chromiumBinary == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium, which this needs: apt-get install chromium")
		}
		t.Skip("no chromium: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromiumBinary), chromedp.Flag("headless", "new"), chromedp.Flag("disable-gpu", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.UserDataDir(t.TempDir()),
	)
	options = append(options, flags...)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // of which root can have none
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(ctx, chromedp.WithLogf(t.Logf), chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits for its end
			t.Log(err)
		}
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// page is an open page. It is for one goroutine.
type page struct {
	ctx context.Context

	mu      sync.Mutex
	urls    map[network.RequestID]string
	refused map[string]string // by URL, why the browser refused something
	more    chan struct{}     // closed and renewed with each
}

func open(t *testing.T, browser context.Context, origin string) *page {
	t.Helper()
	p := &page{urls: map[network.RequestID]string{}, refused: map[string]string{}, more: make(chan struct{})}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithListener(p.listen))
	t.Cleanup(cancel)
	p.ctx = ctx
	err := chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
		return err
	}), chromedp.Navigate(origin+"/"))
	if err != nil {
		t.Fatalf("opening %s: %v", origin, err)
	}
	return p
}

func (p *page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.urls[e.RequestID] = e.Request.URL
	case *network.EventLoadingFailed:
		if e.CorsErrorStatus != nil {
			p.refused[p.urls[e.RequestID]] = string(e.CorsErrorStatus.CorsError)
			close(p.more)
			p.more = make(chan struct{})
		}
	}
}

// fetched is what the script of a page sees of a call of fetch().
type fetched struct {
	Status int
	Body   string
	Header map[string]string // what it may read, but for a few
	// Refused is why the browser shows nothing of it, by DevTools' name: the script
	// learns no reason.
	Refused string
}

const script = `(async (url, init) => {
	try {
		const response = await fetch(url, init);
		return {Status: response.status, Body: await response.text(), Header: Object.fromEntries(response.headers)};
	} catch (e) {
		return {Refused: String(e)};
	}
})(%q, %s)`

// fetch calls fetch() in the page, init being its second argument.
func (p *page) fetch(t *testing.T, url, init string) fetched {
	t.Helper()
	got := p.evaluate(t, fmt.Sprintf(script, url, init))
	if got.Refused != "" {
		got.Refused = p.reason(t, url)
	}
	return got
}

// reason returns why the browser refused what was at url.
func (p *page) reason(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		p.mu.Lock()
		reason, more := p.refused[url], p.more
		p.mu.Unlock()
		if reason != "" {
			return reason
		}
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("the browser never said why it refused %s", url)
		}
	}
}

// fetchInSandbox calls fetch() in a frame of the page whose origin is null. A
// refusal has no reason, because the frame is not the page's own process.
func (p *page) fetchInSandbox(t *testing.T, url, init string) fetched {
	t.Helper()
	source := fmt.Sprintf("<script>%s.then(r => parent.postMessage(r, '*'))</script>", fmt.Sprintf(script, url, init))
	return p.evaluate(t, fmt.Sprintf(`new Promise(resolve => {
		addEventListener("message", e => resolve(e.data), {once: true});
		const frame = document.createElement("iframe");
		frame.sandbox = "allow-scripts";
		frame.srcdoc = %q;
		document.body.append(frame);
	})`, source))
}

func (p *page) evaluate(t *testing.T, expression string) fetched {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[fetched](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	for name := range got.Header {
		switch name {
		case "content-length", "content-type", "cache-control": // may always be read
			delete(got.Header, name)
		}
	}
	if len(got.Header) == 0 {
		got.Header = nil
	}
	return got
}

// startPages serves an empty page on all names of this host, and returns the
// port. A page's origin is the name by which it was opened.
func startPages(t *testing.T) (port string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>page</title>")
	}))
	t.Cleanup(server.Close)
	_, port, _ = net.SplitHostPort(server.Listener.Addr().String())
	return port
}

// startBackend returns the URL of a server that allows everybody everything by
// CORS fields of its own, and answers with what it got.
func startBackend(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Access-Control-Allow-Credentials", "true")
		header.Set("Access-Control-Allow-Methods", "*")
		header.Set("Access-Control-Allow-Headers", "*")
		header.Set("Access-Control-Expose-Headers", "X-Secret")
		header.Set("X-Secret", "1")
		header.Set("X-Total", "2")
		header.Set("Content-Type", "text/plain")
		if strings.HasSuffix(r.URL.Path, "/login") {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "1", Path: "/"})
		}
		if strings.HasSuffix(r.URL.Path, "/die") {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
			return
		}
		fmt.Fprintf(w, "%s custom=%s cookie=%s", r.Method, r.Header.Get("X-Custom"), r.Header.Get("Cookie"))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// spangate is the program under test.
type spangate struct {
	url   string        // without a slash at the end
	ready chan struct{} // is closed once a backend is

	mu     sync.Mutex
	served map[string][]string // by path: method and status of each request, as in the access log
	more   chan struct{}       // closed and renewed with each
}

// startSpangate returns once the program listens. Its environment is what is
// given and nothing else, so that variables of the caller's do not decide.
func startSpangate(t *testing.T, env ...string) *spangate {
	t.Helper()
	s := &spangate{ready: make(chan struct{}), served: map[string][]string{}, more: make(chan struct{})}
	cmd := exec.Command(spangateBinary)
	// Without a collector there is no telemetry but the log.
	cmd.Env = append([]string{"HOST=127.0.0.1", "PORT=0", "OTEL_SDK_DISABLED=true"}, env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening, done := make(chan string, 1), make(chan struct{})
	ready := sync.OnceFunc(func() { close(s.ready) })
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var line struct {
				Msg, Address, Method, Path string
				Status                     int
				State                      string `json:"spangate.backend.state"`
			}
			if json.Unmarshal(lines.Bytes(), &line) != nil {
				continue
			}
			switch line.Msg {
			case "listening":
				listening <- line.Address
			case "backend state changed":
				if line.State == "ready" {
					ready()
				}
			case "request":
				s.note(line.Path, fmt.Sprint(line.Method, " ", line.Status))
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-done // Wait closes the pipe
		cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case address := <-listening:
		_, port, _ := net.SplitHostPort(address)
		s.url = "http://localhost:" + port
	case <-done:
		t.Fatal("spangate ended before it listened")
	case <-ctx.Done():
		t.Fatal("spangate never said that it listens")
	}
	return s
}

func (s *spangate) note(path, request string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served[path] = append(s.served[path], request)
	close(s.more)
	s.more = make(chan struct{})
}

// requests returns what was served at path once it is n requests, or all there
// is when no more come.
func (s *spangate) requests(t *testing.T, path string, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		s.mu.Lock()
		served, more := s.served[path], s.more
		s.mu.Unlock()
		if len(served) >= n {
			return served
		}
		select {
		case <-more:
		case <-ctx.Done():
			return served
		}
	}
}
