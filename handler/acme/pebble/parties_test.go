// Package pebble answers: does the program get, show, renew and keep certificates
// as a real authority wants it? It runs the program and Let's Encrypt's Pebble, both
// as processes, with everything real between them on the loopback; what goes wrong
// does so in Pebble or in a proxy in front of it.
package pebble

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds each wait: far longer than any takes.
const patience = 60 * time.Second

var (
	bin  string // where the programs are
	zone string // of the names: all are the loopback
)

func TestMain(m *testing.M) { os.Exit(setUp(m)) }

func setUp(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pebble")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	bin = dir
	for _, args := range [][]string{
		{"-C", "../../..", "build", "-o", filepath.Join(dir, "spangate"), "."},
		{"build", "-o", dir, "github.com/letsencrypt/pebble/v2/cmd/pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv"},
	} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go %s: %v\n%s", args, err, out)
			return 1
		}
	}
	zone = "127.0.0.1:" + strconv.Itoa(freePort())
	names := exec.Command(filepath.Join(dir, "pebble-challtestsrv"), "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "",
		"-dnsserver", zone, "-management", "127.0.0.1:"+strconv.Itoa(freePort()), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "")
	if err := names.Start(); err != nil {
		panic(err)
	}
	defer names.Wait()
	defer names.Process.Kill()
	return m.Run()
}

var ports struct {
	sync.Mutex
	given map[int]bool
}

// freePort returns a port on which nobody listens, and that it has not returned
// before. It is none of those that systems give to whoever asks for any: such a one
// could be somebody else's by the time when it is used.
func freePort() int {
	ports.Lock()
	defer ports.Unlock()
	for {
		port := 10_000 + mathrand.IntN(20_000)
		ln, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		ln.Close()
		if ports.given[port] {
			continue
		}
		if ports.given == nil {
			ports.given = map[int]bool{}
		}
		ports.given[port] = true
		return port
	}
}

// process is a program of the test's.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu    sync.Mutex
	lines []string
	came  chan struct{} // closed and replaced with each line
}

func start(t testing.TB, name string, args, env []string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(filepath.Join(bin, name), args...), done: make(chan struct{}), came: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			p.lines = append(p.lines, lines.Text())
			close(p.came)
			p.came = make(chan struct{})
			p.mu.Unlock()
		}
		p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.Logf("%s %s:\n%s", name, strings.Join(env, " "), strings.Join(p.lines, "\n"))
		}
	})
	return p
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// says waits for the nth line that holds all of words, and returns it.
func (p *process) says(nth int, words ...string) string {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		p.mu.Lock()
		came, found := p.came, p.with(words)
		p.mu.Unlock()
		if len(found) >= nth {
			return found[nth-1]
		}
		select {
		case <-came:
		case <-p.done:
			p.t.Fatalf("it has ended and did not say %q", words)
		case <-timeout:
			p.t.Fatalf("it does not say %q", words)
		}
	}
}

// said returns how many lines hold all of words.
func (p *process) said(words ...string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.with(words))
}

func (p *process) with(words []string) (found []string) {
line:
	for _, line := range p.lines {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue line
			}
		}
		found = append(found, line)
	}
	return found
}

// authority is Pebble behind a proxy.
type authority struct {
	*httptest.Server
	t                    testing.TB
	httpPort, tlsPort    int // where it validates
	management, listened int
	file                 string // of the proxy's own authority
	config               string

	mu     sync.Mutex
	counts map[string]int
	fault  func(w http.ResponseWriter, r *http.Request) bool
}

type settings struct {
	validity int // seconds; 0: 90 days
	env      []string
	extra    map[string]any
	down     bool // at first
}

func newAuthority(t testing.TB, s settings) *authority {
	t.Helper()
	a := &authority{t: t, httpPort: freePort(), tlsPort: freePort(), management: freePort(), listened: freePort(), counts: map[string]int{}}
	dir := t.TempDir()
	if s.validity == 0 {
		s.validity = 90 * 24 * 3600
	}
	cert, key := selfSigned(t, dir)
	settings := map[string]any{
		"listenAddress": fmt.Sprint("127.0.0.1:", a.listened), "managementListenAddress": fmt.Sprint("127.0.0.1:", a.management),
		"certificate": cert, "privateKey": key, "httpPort": a.httpPort, "tlsPort": a.tlsPort, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "usual", "validityPeriod": s.validity}},
	}
	for name, value := range s.extra {
		settings[name] = value
	}
	text, _ := json.Marshal(map[string]any{"pebble": settings})
	a.config = filepath.Join(dir, "config.json")
	if err := os.WriteFile(a.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	relay := func(w http.ResponseWriter, r *http.Request) {
		out := r.Clone(r.Context())
		out.RequestURI = ""
		out.URL = &url.URL{Scheme: "https", Host: fmt.Sprint("127.0.0.1:", a.listened), Path: r.URL.Path, RawQuery: r.URL.RawQuery}
		resp, err := transport.RoundTrip(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.counts[strings.Split(r.URL.Path, "/")[1]]++
		fault := a.fault
		a.mu.Unlock()
		if fault == nil || !fault(w, r) {
			relay(w, r)
		}
	}))
	quiet := http.Server{}
	a.Config.ErrorLog = quiet.ErrorLog
	a.StartTLS()
	t.Cleanup(a.Close)
	a.file = filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if !s.down {
		a.start(s.env...)
	}
	return a
}

func (a *authority) start(env ...string) *process {
	a.t.Helper()
	p := start(a.t, "pebble", []string{"-config", a.config, "-dnsserver", zone}, append([]string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0"}, env...))
	p.says(1, "Listening on:") // or about to
	for _, port := range []int{a.listened, a.management} {
		for deadline := time.Now().Add(patience); ; {
			conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
			if err == nil {
				conn.Close()
				break
			}
			if time.Now().After(deadline) {
				a.t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond) // between two questions
		}
	}
	return p
}

func (a *authority) failing(fault func(w http.ResponseWriter, r *http.Request) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = fault
}

// orders returns how many were asked for.
func (a *authority) orders() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counts["order-plz"]
}

// roots returns the authority that Pebble issues with.
func (a *authority) roots() *x509.CertPool {
	a.t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	resp, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/roots/0", a.management))
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		a.t.Fatalf("%s", text)
	}
	return pool
}

// startRedis starts one that keeps nothing, and returns its URL.
func startRedis(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no redis-server, which CI must have")
		}
		t.Skip("there is no redis-server")
	}
	port := strconv.Itoa(freePort())
	server := exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	return "redis://127.0.0.1:" + port
}

func selfSigned(t testing.TB, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// instance is a running spangate.
type instance struct {
	*process
	port int // of HTTPS
}

// start starts an instance for names, whose state is in dir; its ports are those
// where the authority validates unless env says otherwise.
func (a *authority) instance(dir, names string, env ...string) *instance {
	a.t.Helper()
	env = append([]string{
		"PLATFORM=none", "HOST=127.0.0.1", "BACKENDS=echo:a", "SHUTDOWN_TIMEOUT=1s", "LOG_LEVEL=debug", "OTEL_SDK_DISABLED=true",
		"PORT=" + strconv.Itoa(a.httpPort), "TLS_PORT=" + strconv.Itoa(a.tlsPort),
		"TLS_ACME_DOMAINS=" + names, "TLS_ACME_DIR=" + dir, "TLS_ACME_CA=" + a.URL + "/dir", "TLS_ACME_CA_FILE=" + a.file, "TLS_ACME_RETRY_AFTER=1s",
	}, env...)
	values := map[string]string{}
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		values[name] = value
	}
	port := values["TLS_PORT"]
	if port == "" {
		port = values["PORT"]
	}
	i := &instance{process: start(a.t, "spangate", nil, env)}
	i.port, _ = strconv.Atoi(port)
	i.says(1, `"listening`)
	return i
}

// shows returns the certificate that a client is shown, and has it verify it if
// roots are given.
func (i *instance) shows(name string, roots *x509.CertPool) (*x509.Certificate, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", fmt.Sprint("127.0.0.1:", i.port),
		&tls.Config{ServerName: name, RootCAs: roots, InsecureSkipVerify: roots == nil})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

// issues waits until it shows a certificate for name that a client believes, and
// another one than last.
func (i *instance) issues(a *authority, name string, last *x509.Certificate) *x509.Certificate {
	i.t.Helper()
	roots := a.roots()
	for deadline := time.Now().Add(patience); ; {
		leaf, err := i.shows(name, roots)
		if err == nil && (last == nil || !bytes.Equal(leaf.Raw, last.Raw)) {
			return leaf
		}
		if time.Now().After(deadline) {
			i.t.Fatalf("no (new) certificate for %s: %v", name, err)
		}
		time.Sleep(20 * time.Millisecond) // between two questions
	}
}

// get asks for a page over HTTPS, as a browser would.
func (i *instance) get(a *authority, name string) (*http.Response, string, error) {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{ServerName: name, RootCAs: a.roots()},
	}}
	req, err := http.NewRequest("GET", fmt.Sprintf("https://127.0.0.1:%d/page", i.port), nil)
	if err != nil {
		return nil, "", err
	}
	req.Host = name
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}
