package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/balancer/dnstest"
	"spangate/handler/admin"
	"spangate/handler/wire/wiretest"
	"spangate/telemetry/contract"
	"spangate/telemetry/otlptest"
)

// program is the whole of Spangate, running in this process, and the collector
// that it reports to.
type program struct {
	addr      string
	collector *otlptest.Server
	log       *logLines
	stop      func()      // returns when all telemetry is delivered
	process   *os.Process // of startLimited alone
}

// logLines keeps what is written to it, and announces the address that the
// program listens on.
type logLines struct {
	mu      sync.Mutex
	written sync.Cond // on mu
	text    bytes.Buffer
	address chan string
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for text := range bytes.Lines(p) {
		var line struct{ Msg, Message, Address string }
		if json.Unmarshal(text, &line) == nil && (line.Msg == "listening" || line.Message == "listening") {
			l.address <- line.Address
		}
	}
	defer l.written.Broadcast()
	return l.text.Write(p)
}

// all returns the lines so far.
func (l *logLines) all(t *testing.T) (lines []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for text := range strings.Lines(l.text.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("log line %q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// named returns the lines whose field of that name is value.
func (l *logLines) named(t *testing.T, field, value string) []map[string]any {
	t.Helper()
	return slices.DeleteFunc(l.all(t), func(line map[string]any) bool { return line[field] != value })
}

// requests returns the lines of the access log.
func (l *logLines) requests(t *testing.T) []map[string]any {
	t.Helper()
	return l.named(t, "msg", "request")
}

// patient are the times within which what is to succeed does so on a busy machine
// too: a fifth of the first is the last flush's.
var patient = []string{"SHUTDOWN_TIMEOUT=40s", "BACKEND_CONNECT_TIMEOUT=20s"}

func start(t *testing.T, environ ...string) *program {
	t.Helper()
	p := newProgram(t)
	environ = append(append([]string{"HOST=127.0.0.1", "PORT=0", "OTEL_EXPORTER_OTLP_ENDPOINT=" + p.collector.URL()}, patient...), environ...)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := run(ctx, environ, p.log); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	p.started(t, cancel, ended)
	return p
}

// newProgram returns one that is yet to be started, and its collector.
func newProgram(t *testing.T) *program {
	t.Helper()
	p := &program{collector: otlptest.NewServer(t), log: &logLines{address: make(chan string, 1)}}
	p.log.written.L = &p.log.mu
	return p
}

// started returns when p listens. leave, which may be called again, makes it end,
// as it does with the test at the latest; ended is closed when it has.
func (p *program) started(t *testing.T, leave func(), ended <-chan struct{}) {
	t.Helper()
	p.stop = func() {
		leave()
		<-ended
	}
	t.Cleanup(func() {
		p.stop()
		keepsTheContract(t, p.collector)
	})
	select {
	case p.addr = <-p.log.address:
	case <-ended:
		t.FailNow()
	}
}

// asProgram makes this test's binary the program itself, as limits are a
// process's, and nameServer is whom that one asks for addresses.
const (
	asProgram  = "SPANGATE_TEST_IS_THE_PROGRAM"
	nameServer = "SPANGATE_TEST_NAME_SERVER"
)

func init() {
	if os.Getenv(asProgram) == "" {
		return
	}
	if addr := os.Getenv(nameServer); addr != "" {
		net.DefaultResolver = dnstest.Resolver(addr)
	}
	os.Unsetenv(asProgram)
	os.Unsetenv(nameServer)
	main()
}

// startLimited runs the program as a process of its own, under what the shell
// does before.
func startLimited(t *testing.T, shell string, environ ...string) *program {
	t.Helper()
	p := newProgram(t)
	cmd := exec.Command("sh", "-c", shell+` && exec "$0"`, os.Args[0])
	cmd.Env = append(append([]string{asProgram + "=1", "HOST=127.0.0.1", "PORT=0", "OTEL_EXPORTER_OTLP_ENDPOINT=" + p.collector.URL()}, patient...), environ...)
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = p.log, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.process = cmd.Process
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program: %v\n%s", err, &stderr)
		}
	}()
	p.started(t, func() { cmd.Process.Signal(syscall.SIGTERM) }, ended)
	return p
}

// await returns when a line with text in it has been written.
func (p *program) await(text string) {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	for !strings.Contains(p.log.text.String(), text) {
		p.log.written.Wait()
	}
}

// line returns the one line that says msg.
func (p *program) line(t *testing.T, msg string) map[string]any {
	t.Helper()
	found := p.log.named(t, "msg", msg)
	if len(found) != 1 {
		t.Fatalf("%q is said %d times: %v", msg, len(found), found)
	}
	delete(found[0], "time")
	delete(found[0], "msg")
	return found[0]
}

// newRequest returns one to the program.
func (p *program) newRequest(ctx context.Context, method, target string, body io.Reader, header ...string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+p.addr+target, body)
	if err != nil {
		panic(err)
	}
	for _, field := range header {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// send makes a request on a connection of its own.
func (p *program) send(ctx context.Context, method, target string, body io.Reader, header ...string) (*http.Response, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	return transport.RoundTrip(p.newRequest(ctx, method, target, body, header...))
}

// statusOver makes a request over transport, reads all of the response and
// returns its status, or 0 if there is none.
func (p *program) statusOver(t *testing.T, transport http.RoundTripper, method string, header ...string) int {
	t.Helper()
	resp, err := transport.RoundTrip(p.newRequest(t.Context(), method, "/", nil, header...))
	if err != nil {
		t.Error(err)
		return 0
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.StatusCode
}

// once makes a request and reads all of the response, as far as there is one.
func (p *program) once(ctx context.Context, method, target string, body io.Reader, header ...string) {
	resp, err := p.send(ctx, method, target, body, header...)
	if err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// ask makes a request and returns the response, which there must be, and all of
// its body.
func (p *program) ask(t *testing.T, method, target string, body io.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := p.send(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// status returns what the status endpoint says.
func (p *program) status(t *testing.T) (s admin.Snapshot) {
	t.Helper()
	resp, body := p.ask(t, "GET", "/.spangate/status", nil)
	if err := json.Unmarshal([]byte(body), &s); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, body %q: %v", resp.StatusCode, body, err)
	}
	return s
}

// states returns those of the backends.
func (p *program) states(t *testing.T) (states []balancer.State) {
	t.Helper()
	for _, b := range p.status(t).Backends {
		states = append(states, b.State)
	}
	return states
}

// spans returns those of a kind.
func (p *program) spans(kind string) []otlptest.Span {
	return slices.DeleteFunc(p.collector.Spans(), func(s otlptest.Span) bool { return s.Kind != kind })
}

// span returns the only one of a kind.
func (p *program) span(t *testing.T, kind string) otlptest.Span {
	t.Helper()
	spans := p.spans(kind)
	if len(spans) != 1 {
		t.Fatalf("%d spans of kind %s, want 1", len(spans), kind)
	}
	return spans[0]
}

// checkSpans compares the tree of the spans, each with these of its attributes.
func (p *program) checkSpans(t *testing.T, want string, attributes ...string) {
	t.Helper()
	if diff := cmp.Diff(want, otlptest.Tree(p.collector.Spans(), attributes...)); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// checkStates does it with what tells of changes of state, and of what led to
// them.
func (p *program) checkStates(t *testing.T, want string) {
	t.Helper()
	p.checkSpans(t, want, "error.type", "spangate.retry.stop_reason", "spangate.probe.type",
		"spangate.backend.previous_state", "spangate.backend.state", "spangate.backend.reason")
}

// points returns those of a metric.
func (p *program) points(metric string) (points []otlptest.Point) {
	for _, m := range p.collector.Metrics() {
		if m.Name == metric {
			points = append(points, m.Points...)
		}
	}
	return points
}

// counted returns the sum of a counter's points.
func (p *program) counted(metric string) (sum float64) {
	for _, point := range p.points(metric) {
		sum += point.Value
	}
	return sum
}

// emitted are the names in the tables of package contract that some program
// sent something of.
var emitted sync.Map

// keepsTheContract fails the test when what was sent is not in the tables of
// package contract.
func keepsTheContract(t *testing.T, collector *otlptest.Server) {
	t.Helper()
	for _, unknown := range collector.Unknown() {
		t.Errorf("not in the contract: %s", unknown)
	}
	for _, name := range collector.Known() {
		emitted.Store(name, true)
	}
}

// notEmitted are names in the tables that no test here makes the program send,
// and why.
var notEmitted = map[string]string{
	"metric go.memory.limit": "only of a process of its own",

	"attribute spangate.acme.challenge":           before,
	"attribute spangate.acme.next_order":          before,
	"attribute spangate.acme.renewal":             before,
	"attribute spangate.acme.result":              before,
	"attribute spangate.acme.state":               before,
	"event spangate.acme.state_failed":            before,
	"event spangate.tls.certificate_issued":       before,
	"event spangate.tls.certificate_loaded":       before,
	"event spangate.tls.certificate_order_failed": before,
	"metric spangate.acme.orders":                 before,
	"span INTERNAL certificate_order":             before,
}

// before says where what comes of orders of certificates is sent.
const before = "before a real authority, in handler/acme/pebble"

// TestMain asserts, when all tests have run, that nothing is in the tables of
// package contract which the program never sends.
func TestMain(m *testing.M) {
	wiretest.Parallel()
	code := m.Run()
	filtered := false
	flag.Visit(func(f *flag.Flag) {
		filtered = filtered || slices.Contains([]string{"test.run", "test.skip", "test.list", "test.bench", "test.fuzz"}, f.Name)
	})
	if code == 0 && !filtered {
		for _, name := range contracted() {
			_, sent := emitted.Load(name)
			if why := notEmitted[name]; sent == (why != "") {
				fmt.Printf("%s: sent is %v, though in notEmitted is %q\n", name, sent, why)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// backends makes a configuration complete.
const backends = "BACKENDS=http://a:3000"

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// takenPort returns one of the loopback on which somebody listens, and accepts
// nothing.
func takenPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// contracted returns the names of all rows of the contract, each after its table's.
func contracted() []string {
	var names []string
	for _, s := range contract.Spans {
		names = append(names, "span "+s.Kind+" "+s.Name)
	}
	for _, m := range contract.Metrics {
		names = append(names, "metric "+m.Name)
	}
	for _, e := range contract.Events {
		names = append(names, "event "+e.Name)
	}
	for _, a := range slices.Concat(contract.Attributes, contract.Resource) {
		names = append(names, "attribute "+a.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
