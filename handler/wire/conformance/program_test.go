package conformance

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds each wait for another process: far longer than any of them
// takes, so that it ends a run that is stuck and never one that is slow.
const patience = time.Minute

// program is a running spangate, all of whose telemetry goes to a collector
// that takes it and keeps nothing.
type program struct {
	addr      string
	cmd       *exec.Cmd
	collector *httptest.Server
	done      chan struct{} // closed when it has ended and its log was read
	err       error         // why it ended; for readers of done

	mu   sync.Mutex
	tail []string // the last lines of its log
}

// startProgram returns once the program listens. Beside the variables given it
// has but those that keep it and its telemetry on the loopback.
func startProgram(env ...string) (*program, error) {
	p := &program{cmd: exec.Command(spangate), done: make(chan struct{})}
	p.collector = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
	}))
	p.cmd.Env = append([]string{"PLATFORM=none", "HOST=127.0.0.1", "PORT=0", "SHUTDOWN_TIMEOUT=2s",
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + p.collector.URL}, env...)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan string, 1)
	go func() {
		p.read(out, listening)
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	select {
	case p.addr = <-listening:
		return p, nil
	case <-p.done:
	case <-time.After(patience):
	}
	p.stop()
	return nil, fmt.Errorf("spangate does not listen: %w\n%s", p.err, p.log())
}

func (p *program) read(log io.Reader, listening chan<- string) {
	for r := bufio.NewReader(log); ; {
		line, err := r.ReadBytes('\n')
		if bytes.Contains(line, []byte(`"listening"`)) {
			var entry struct{ Msg, Address string }
			if json.Unmarshal(line, &entry) == nil && entry.Msg == "listening" {
				listening <- entry.Address
			}
		}
		p.mu.Lock()
		if p.tail = append(p.tail, string(line)); len(p.tail) > 10 {
			p.tail = p.tail[1:]
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *program) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.tail, "")
}

// stop returns an error if the program had ended by itself, or does not end
// well now.
func (p *program) stop() error {
	defer p.collector.Close()
	select {
	case <-p.done:
		return fmt.Errorf("spangate ended: %v\n%s", p.err, p.log())
	default:
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.done
	}
	if p.err != nil {
		return fmt.Errorf("spangate: %w\n%s", p.err, p.log())
	}
	return nil
}

// startSpangate runs the program until the end of the test.
func startSpangate(t *testing.T, env ...string) *program {
	t.Helper()
	p, err := startProgram(env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("spangate wrote last:\n%s", p.log())
		}
	})
	return p
}

// port is where the program listens.
func (p *program) port() uint64 {
	return uint64(netip.MustParseAddrPort(p.addr).Port())
}

// certificateFiles returns the files of a certificate for 127.0.0.1, which is
// its own authority, and of its key.
func certificateFiles(t *testing.T) (certificate, key string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	pair := server.TLS.Certificates[0]
	encoded, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, kind string, bytes []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return file("certificate.pem", "CERTIFICATE", pair.Certificate[0]), file("key.pem", "PRIVATE KEY", encoded)
}
