// Package wiretest answers: what do tests of connections stand on? It is for tests
// alone.
package wiretest

import (
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Pipes is a listener whose connections come from Accepted. Inside a bubble of
// synctest it stands in for a socket.
type Pipes struct {
	Accepted chan net.Conn
	Closed   chan struct{} // is closed when the listener is

	once sync.Once
}

// NewPipes returns a listener that is open.
func NewPipes() *Pipes { return &Pipes{Accepted: make(chan net.Conn), Closed: make(chan struct{})} }

// Accept implements [net.Listener].
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.Accepted:
		return conn, nil
	case <-p.Closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (p *Pipes) Close() error {
	p.once.Do(func() { close(p.Closed) })
	return nil
}

// Addr implements [net.Listener].
func (p *Pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// Told returns a sequence of texts; between two of them passes the time that pause
// says.
func Told(pause time.Duration, texts ...string) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		for i, text := range texts {
			if i > 0 {
				time.Sleep(pause)
			}
			io.WriteString(w, text)
		}
		w.Close()
	}()
	return r
}

// CertificateFile returns a file with the server's certificate.
func CertificateFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(path, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Client returns a client of HTTP/1.1, or of HTTP/2 with prior knowledge, that
// follows no redirect.
func Client(t *testing.T, http2 bool) *http.Client {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	transport := &http.Transport{Protocols: &protocols, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Raw sends text to addr and returns the responses' bytes until the connection
// ends.
func Raw(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 {
		t.Fatal(err)
	}
	return string(answer)
}

// Listen has serve answer each connection to the address that it returns, whose
// number it gets, from 1 on, and closes it afterwards.
func Listen(t testing.TB, serve func(conn net.Conn, nth int)) string {
	t.Helper()
	var plain net.ListenConfig
	plain.SetMultipathTCP(false) // its sockets do not tell what has been received
	ln, err := plain.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for nth := 1; ; nth++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn, nth)
			}()
		}
	}()
	return ln.Addr().String()
}
