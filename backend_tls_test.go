package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/balancer/dnstest"
	"spangate/handler/certificate/certtest"
	"spangate/handler/wire/framing"
)

// secureBackend returns the host:port of a server that speaks TLS by cfg, HTTP/1.1
// alone if that names no protocol. It answers with the server name and the
// certificate that it was sent.
func secureBackend(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	return secureServer(t, cfg, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "host=%s name=%s", r.Host, r.TLS.ServerName)
		for _, c := range r.TLS.PeerCertificates {
			fmt.Fprintf(w, " client=%s", c.Subject.CommonName)
		}
	})
}

func secureServer(t *testing.T, cfg *tls.Config, h http.HandlerFunc) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(tls.NewListener(lingering{ln}, cfg))
	t.Cleanup(func() { server.Close() })
	return ln.Addr().String()
}

// lingering has connections whose other end gets the last word, an alert above all,
// whatever it has sent on: a reset could overtake it.
type lingering struct{ net.Listener }

func (l lingering) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return lingeringConn{conn}, err
}

type lingeringConn struct{ net.Conn }

func (c lingeringConn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

func (c lingeringConn) Close() error {
	framing.Linger(c)
	return c.Conn.Close()
}

// withName returns a host:port by a name of the loopback.
func withName(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return "localhost:" + port
}

func sha256Of(c *x509.Certificate) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(c.Raw)) }

var anHourAgo = time.Now().Add(-time.Hour)

// What backends show, and what they are believed by.
func TestCertificatesOfBackends(t *testing.T) {
	t.Parallel()
	ca, stranger := certtest.New(t), certtest.New(t)
	serves := func(c x509.Certificate) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, c).TLS(t)}, NextProtos: []string{"h2", "http/1.1"}}
	}
	usual := serves(x509.Certificate{})
	internal := serves(x509.Certificate{DNSNames: []string{"app.internal"}})
	expired := serves(x509.Certificate{NotBefore: anHourAgo.Add(-time.Hour), NotAfter: anHourAgo})
	strange := &tls.Config{Certificates: []tls.Certificate{stranger.Issue(t, x509.Certificate{DNSNames: []string{"nobody.test"}, NotBefore: anHourAgo.Add(-time.Hour), NotAfter: anHourAgo}).TLS(t)}}
	fingerprint := sha256Of(strange.Certificates[0].Leaf)
	colons := fingerprint[:7] + strings.ToUpper(fingerprint[7:9]+":"+fingerprint[9:])
	byCA := []string{"BACKEND_CA_FILE=" + ca.File}
	for name, test := range map[string]struct {
		server  *tls.Config
		named   bool // the URL has a name, not an address
		options string
		environ []string
		want    string // of the answer, or of the attempt's span
	}{
		"its own authority":              {usual, false, "", byCA, "name="},
		"by name":                        {usual, true, "", byCA, "name=localhost"},
		"no authority":                   {usual, false, "", nil, "tls_handshake_error: x509: certificate signed by unknown authority"},
		"another authority":              {usual, false, "", []string{"BACKEND_CA_FILE=" + stranger.File}, "tls_handshake_error: x509: certificate signed by unknown authority"},
		"another name":                   {internal, true, "", byCA, "tls_handshake_error: x509: certificate is for another name"},
		"another address":                {internal, false, "", byCA, "tls_handshake_error: x509: certificate is for another name"},
		"a name for all":                 {internal, false, "", append(byCA, "BACKEND_SERVER_NAME=app.internal"), "name=app.internal"},
		"a name of its own":              {internal, false, ";server-name=App.internal.", append(byCA, "BACKEND_SERVER_NAME=other.internal"), "name=App.internal"},
		"an address for a name":          {usual, true, ";server-name=127.0.0.1", byCA, "name="},
		"the name is the wrong one":      {usual, true, ";server-name=app.internal", byCA, "tls_handshake_error: x509: certificate is for another name"},
		"Host is not the name":           {usual, true, ";host=preserve", byCA, "host=proxied.test name=localhost"},
		"nor is the name Host":           {internal, true, ";host=backend;server-name=app.internal", byCA, "host=localhost:* name=app.internal"},
		"expired":                        {expired, false, "", byCA, "tls_handshake_error: x509: certificate has expired or is not yet valid"},
		"an authority of its own":        {usual, false, ";ca-file=" + ca.File, []string{"BACKEND_CA_FILE=" + stranger.File}, "name="},
		"pinned":                         {strange, true, ";fingerprint=" + fingerprint, byCA, "name=localhost"},
		"pinned as openssl writes it":    {strange, true, ";fingerprint=" + colons, nil, "name=localhost"},
		"pinned, and the next one":       {strange, true, ";fingerprint=" + sha256Of(ca.Leaf) + ";fingerprint=" + fingerprint, nil, "name=localhost"},
		"pinned, and another one":        {usual, true, ";fingerprint=" + fingerprint, byCA, "tls_handshake_error: tls: certificate is none of those that are pinned"},
		"not verified":                   {strange, true, ";tls-verify=off", nil, "name=localhost"},
		"verified after all":             {strange, true, ";tls-verify=on", byCA, "tls_handshake_error: x509: certificate"},
		"TLS 1.1":                        {&tls.Config{Certificates: usual.Certificates, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false, "", byCA, "tls_handshake_error: tls: protocol version not supported"},
		"TLS 1.2 with an old cipher":     {&tls.Config{Certificates: usual.Certificates, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, false, "", byCA, "name="},
		"without forward secrecy":        {&tls.Config{Certificates: []tls.Certificate{ca.IssueRSA(t, x509.Certificate{}).TLS(t)}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}, false, "", byCA, "tls_handshake_error: tls: handshake failure"},
		"without key exchange of today":  {&tls.Config{Certificates: usual.Certificates, CurvePreferences: []tls.CurveID{tls.CurveP384}}, false, "", byCA, "name="},
		"no protocol in common":          {&tls.Config{Certificates: usual.Certificates, NextProtos: []string{"ftp"}}, false, "", byCA, "tls_handshake_error: tls: no application protocol"},
		"HTTP/2 alone":                   {&tls.Config{Certificates: usual.Certificates, NextProtos: []string{"h2"}}, false, "", byCA, "name="},
		"no protocol named":              {&tls.Config{Certificates: usual.Certificates}, false, "", byCA, "name="},
		"options of the wrong authority": {usual, false, ";ca-file=" + stranger.File, byCA, "tls_handshake_error: x509: certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := secureBackend(t, test.server.Clone())
			if test.named {
				address = withName(address)
			}
			p := start(t, append(test.environ, "BACKENDS=https://"+address+test.options, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "BACKEND_CONNECT_TIMEOUT=20s")...)
			resp, err := (&http.Transport{}).RoundTrip(withHost(p.newRequest(t.Context(), "GET", "/", nil), "proxied.test"))
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			p.stop()
			span := p.span(t, "CLIENT")
			if strings.HasPrefix(test.want, "tls_handshake_error") {
				if resp.StatusCode != http.StatusBadGateway || !strings.HasPrefix(span.StatusMessage, test.want) || span.Attributes["error.type"] != "tls_handshake_error" {
					t.Errorf("status %d, span %q, want 502 and %q", resp.StatusCode, span.StatusMessage, test.want)
				}
				return
			}
			got := strings.ReplaceAll(string(body), strings.TrimPrefix(address, "localhost"), ":*")
			if _, name, _ := strings.Cut(got, " "); got != test.want && name != test.want || resp.StatusCode != http.StatusOK {
				t.Errorf("status %d, answer %q, want %q", resp.StatusCode, got, test.want)
			}
		})
	}
}

func withHost(r *http.Request, host string) *http.Request {
	r.Host = host
	return r
}

// A backend with which there is no agreement is one that nothing was sent to: also
// what must not be repeated goes to another one.
func TestBackendsWithoutAgreement(t *testing.T) {
	t.Parallel()
	ca, stranger := certtest.New(t), certtest.New(t)
	right := []tls.Certificate{ca.Issue(t, x509.Certificate{}).TLS(t)}
	asking := func(version uint16, protocols ...string) *tls.Config {
		return &tls.Config{Certificates: right, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: stranger.Pool, MaxVersion: version, NextProtos: protocols}
	}
	for name, cfg := range map[string]*tls.Config{
		"another authority":              {Certificates: []tls.Certificate{stranger.Issue(t, x509.Certificate{}).TLS(t)}},
		"another name":                   {Certificates: []tls.Certificate{ca.Issue(t, x509.Certificate{DNSNames: []string{"other.test"}}).TLS(t)}},
		"it asks for a certificate, 1.2": asking(tls.VersionTLS12),
		"it asks for a certificate, 1.3": asking(tls.VersionTLS13),
		"and speaks HTTP/2, 1.2":         asking(tls.VersionTLS12, "h2"),
		"and speaks HTTP/2, 1.3":         asking(tls.VersionTLS13, "h2"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := secureBackend(t, cfg)
			good := secureServer(t, &tls.Config{Certificates: right}, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
			p := start(t, "BACKENDS=https://"+wrong+",https://"+good, "BACKEND_CA_FILE="+ca.File, "PROBE_MODE=off")
			resp, body := p.ask(t, "POST", "/", strings.NewReader("order"))
			if resp.StatusCode != http.StatusOK || body != "order" {
				t.Errorf("status %d, body %q", resp.StatusCode, body)
			}
			p.stop()
			p.checkSpans(t, "POST SERVER Unset\n"+
				"  POST CLIENT Error error.type=tls_handshake_error\n"+
				"  retry INTERNAL Unset spangate.retry.reason=tls_handshake_error\n"+
				"  POST CLIENT Unset link=2\n", "error.type", "spangate.retry.reason")
		})
	}
}

// What backends that ask for a certificate are shown.
func TestCertificatesForBackends(t *testing.T) {
	t.Parallel()
	ca, stranger := certtest.New(t), certtest.New(t)
	issue := func(by *certtest.Authority, name string) (cert, key string) {
		c := x509.Certificate{}
		c.Subject.CommonName = name
		return by.Issue(t, c).Files(t)
	}
	cert, key := issue(ca, "proxy")
	own, ownKey := issue(ca, "own")
	wrong, wrongKey := issue(stranger, "stranger")
	both := cert + ".both"
	certtest.Write(t, both, append(readFile(t, key), readFile(t, cert)...))
	shown := []string{"BACKEND_CERT_FILE=" + cert, "BACKEND_KEY_FILE=" + key}
	for name, test := range map[string]struct {
		options string
		environ []string
		want    string // of the answer; else it is refused
	}{
		"the right one":     {"", shown, "client=proxy"},
		"in one file":       {"", []string{"BACKEND_CERT_FILE=" + both}, "client=proxy"},
		"its own":           {";cert-file=" + own + ";key-file=" + ownKey, shown, "client=own"},
		"its own, one file": {";cert-file=" + both, nil, "client=proxy"},
		"of a stranger":     {"", []string{"BACKEND_CERT_FILE=" + wrong, "BACKEND_KEY_FILE=" + wrongKey}, ""},
		"none":              {"", nil, ""},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, protocol := range []string{"http/1.1", "h2"} {
				t.Run(strings.Join([]string{name, tls.VersionName(version), protocol}, ", "), func(t *testing.T) {
					t.Parallel()
					address := secureBackend(t, &tls.Config{
						Certificates: []tls.Certificate{ca.Issue(t, x509.Certificate{}).TLS(t)}, NextProtos: []string{protocol},
						ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool, MaxVersion: version,
					})
					p := start(t, append(test.environ, "BACKENDS=https://"+address+test.options, "BACKEND_CA_FILE="+ca.File, "PROBE_MODE=off", "RETRY_ATTEMPTS=0")...)
					resp, body := p.ask(t, "GET", "/", nil)
					p.stop()
					span := p.span(t, "CLIENT")
					switch refused := resp.StatusCode == http.StatusBadGateway && strings.HasPrefix(span.StatusMessage, "tls_handshake_error: tls: "); {
					case test.want == "" && !refused:
						t.Errorf("status %d, span %q, want it refused", resp.StatusCode, span.StatusMessage)
					case test.want != "" && !strings.HasSuffix(body, test.want):
						t.Errorf("status %d, answer %q, span %q", resp.StatusCode, body, span.StatusMessage)
					}
				})
			}
		}
	}
}

// Authorities and certificates change under load: what is made from then on goes by
// them, and no request fails.
func TestFilesForBackendsThatChange(t *testing.T) {
	t.Parallel()
	ca, next := certtest.New(t), certtest.New(t)
	named := func(by *certtest.Authority, name string) certtest.Pair {
		c := x509.Certificate{}
		c.Subject.CommonName = name
		return by.Issue(t, c)
	}
	var shows atomic.Pointer[tls.Config]
	use := func(by *certtest.Authority, resumes bool) {
		shows.Store(&tls.Config{
			Certificates: []tls.Certificate{by.Issue(t, x509.Certificate{}).TLS(t)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool,
			SessionTicketsDisabled: !resumes,
		})
	}
	use(ca, true)
	address := secureServer(t, &tls.Config{
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return shows.Load(), nil },
		Certificates:       shows.Load().Certificates,
	}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprintf(w, "client=%s", r.TLS.PeerCertificates[0].Subject.CommonName)
	})
	authorities := ca.File
	cert, key := named(ca, "client 0").Files(t)
	p := start(t, "BACKENDS=https://"+address+";cert-file="+cert+";key-file="+key, "BACKEND_CA_FILE="+authorities, "PROBE_MODE=off", "RETRY_ATTEMPTS=0",
		"TLS_RELOAD_INTERVAL=1ms", "ACCESS_LOG=off", "OTEL_TRACES_EXPORTER=none")
	var enough atomic.Bool
	var traffic sync.WaitGroup
	var served atomic.Int64
	for range 4 {
		traffic.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for !enough.Load() {
				if status := p.statusOver(t, transport, "GET"); status != http.StatusOK {
					t.Errorf("status %d amid the change", status)
					return
				}
				served.Add(1)
			}
		})
	}
	until := func(name string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; {
			_, body := p.ask(t, "GET", "/", nil)
			if strings.HasSuffix(body, "client="+name) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the backend is still shown %q, not %s", body, name)
			}
		}
	}
	for i := range 20 {
		pair := named(ca, fmt.Sprintf("client %d", i+1))
		swap(t, key, pair.Key)
		swap(t, cert, pair.Certificate)
		until(fmt.Sprintf("client %d", i+1))
	}

	// Half a file is not taken, and what was there before serves.
	pair := named(ca, "late")
	swap(t, cert, pair.Certificate[:len(pair.Certificate)/2])
	p.await("cannot be used")
	until("client 20")
	for _, line := range p.log.named(t, "level", "WARN") {
		if text := fmt.Sprint(line["exception.message"]); !strings.HasPrefix(text, `BACKENDS: backend "https://`+address+`": cert-file: `+cert+": ") {
			t.Errorf("the warning is %v", line)
		}
	}
	swap(t, key, pair.Key)
	swap(t, cert, pair.Certificate)
	until("late")

	enough.Store(true)
	traffic.Wait()
	if served.Load() < 20 {
		t.Errorf("%d requests were served", served.Load())
	}

	// An authority that follows another one.
	answers := func(status int) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; {
			resp, _ := p.ask(t, "GET", "/", nil)
			if resp.StatusCode == status {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the status is still %d, not %d", resp.StatusCode, status)
			}
		}
	}
	use(next, false)
	answers(http.StatusBadGateway)
	swap(t, authorities, append(readFile(t, authorities), readFile(t, next.File)...))
	answers(http.StatusOK)
	use(ca, true)
	answers(http.StatusOK)
	swap(t, authorities, readFile(t, next.File))
	answers(http.StatusBadGateway) // a session with who is believed no more is not resumed
}

func readFile(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// A connection that is open stays when the files change, and sessions are resumed
// while they do not.
func TestConnectionsOfTLSToBackends(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
			address := secureServer(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, x509.Certificate{}).TLS(t)}, MaxVersion: version}, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/last" {
					w.Header().Set("Connection", "close")
				}
				io.WriteString(w, r.RemoteAddr)
			})
			p := start(t, "BACKENDS=https://"+address, "BACKEND_CA_FILE="+ca.File, "BACKEND_CERT_FILE="+cert, "BACKEND_KEY_FILE="+key, "PROBE_MODE=off", "TLS_RELOAD_INTERVAL=1ms")
			_, first := p.ask(t, "GET", "/", nil)
			next := ca.Issue(t, x509.Certificate{})
			swap(t, cert, append(next.Certificate, next.Key...))
			swap(t, key, next.Key)
			p.await("are in force")
			if _, second := p.ask(t, "GET", "/last", nil); second != first {
				t.Error("the connection of before is not used any more")
			}
			p.ask(t, "GET", "/last", nil) // on what the next files say
			p.ask(t, "GET", "/last", nil)
			p.stop()
			var resumed []any
			for _, span := range p.spans("CLIENT") {
				resumed = append(resumed, span.Attributes["tls.resumed"])
			}
			if diff := cmp.Diff([]any{false, false, false, true}, resumed); diff != "" {
				t.Errorf("resumed (-want +got):\n%s", diff)
			}
		})
	}
}

// What a span tells of the connection.
func TestAttributesOfTLSToBackends(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	certificates := []tls.Certificate{ca.Issue(t, x509.Certificate{}).TLS(t)}
	for name, test := range map[string]struct {
		server *tls.Config
		want   string
	}{
		"HTTP/2":   {&tls.Config{NextProtos: []string{"h2"}}, "tls.protocol.version=1.3 tls.curve=X25519MLKEM768 tls.next_protocol=h2 tls.resumed=false"},
		"HTTP/1.1": {&tls.Config{NextProtos: []string{"http/1.1"}, CurvePreferences: []tls.CurveID{tls.X25519}}, "tls.protocol.version=1.3 tls.curve=x25519 tls.next_protocol=http/1.1 tls.resumed=false"},
		"TLS 1.2": {&tls.Config{MaxVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.CurveP256}, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}},
			"tls.protocol.version=1.2 tls.curve=secp256r1 tls.resumed=false tls.cipher=TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.server.Certificates = certificates
			p := start(t, "BACKENDS=https://"+secureBackend(t, test.server), "BACKEND_CA_FILE="+ca.File, "PROBE_MODE=off")
			p.ask(t, "GET", "/", nil)
			p.stop()
			attributes := []string{"tls.protocol.version", "tls.curve", "tls.next_protocol", "tls.resumed"}
			if strings.Contains(test.want, "cipher") {
				attributes = append(attributes, "tls.cipher") // which of TLS 1.3 goes by the hardware
			}
			p.checkSpans(t, "GET SERVER Unset\n  GET CLIENT Unset "+test.want+"\n", attributes...)
		})
	}
}

// Probes shake hands with backends of TLS, so that one whose certificate is wrong is
// out before a request meets it.
func TestProbesOfBackendsOverTLS(t *testing.T) {
	t.Parallel()
	ca, stranger := certtest.New(t), certtest.New(t)
	for _, probing := range []string{"tcp", "http", "grpc"} {
		t.Run(probing, func(t *testing.T) {
			t.Parallel()
			right := "https://" + secureBackend(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, x509.Certificate{}).TLS(t)}, NextProtos: []string{"h2", "http/1.1"}})
			wrong := "https://" + secureBackend(t, &tls.Config{Certificates: []tls.Certificate{stranger.Issue(t, x509.Certificate{}).TLS(t)}})
			p := start(t, "BACKENDS="+right+","+wrong, "BACKEND_CA_FILE="+ca.File, "PROBE_TYPE="+probing, "PROBE_INTERVAL=10ms", "PROBE_FALL=1", "PROBE_TIMEOUT=20s", "BACKEND_CONNECT_TIMEOUT=20s")
			p.await(`"spangate.backend":"` + wrong + `","spangate.backend.state":"down"`)
			if probing != "grpc" { // of which the other knows nothing either
				p.await(`"spangate.backend":"` + right + `","spangate.backend.state":"ready"`)
			}
			if probing == "tcp" {
				if diff := cmp.Diff([]balancer.State{balancer.Ready, balancer.Down}, p.states(t)); diff != "" {
					t.Errorf("states (-want +got):\n%s", diff)
				}
			}
			p.stop()
			for _, line := range p.log.named(t, "event.name", "spangate.backend.state_changed") {
				if line["spangate.backend"] != wrong {
					continue
				}
				if line["spangate.backend.error_type"] != "tls_handshake_error" || !strings.Contains(fmt.Sprint(line["exception.message"]), "unknown authority") {
					t.Errorf("the change of state is told as %v", line)
				}
			}
		})
	}
}

// Members that a name leads to are verified by that name, or by the one that is set,
// and have its options.
func TestDiscoveredBackendsOverTLS(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	dns := dnstest.NewServer(t)
	dns.Update(dnstest.Zone{"app.test. A": dnstest.Addresses("127.0.0.1")})
	for name, test := range map[string]struct {
		certificate string
		options     string
		status      int
	}{
		"its name":           {"app.test", "", http.StatusOK},
		"another name":       {"other.test", "", http.StatusBadGateway},
		"a name that is set": {"other.test", ";server-name=other.test", http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := secureBackend(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, x509.Certificate{DNSNames: []string{test.certificate}}).TLS(t)}})
			_, port, _ := net.SplitHostPort(address)
			p := startLimited(t, "true", nameServer+"="+dns.Addr, "BACKENDS=dns+https://app.test.:"+port+test.options+";ca-file="+ca.File, "PROBE_MODE=off", "RETRY_ATTEMPTS=0")
			p.await(`"joined":1`)
			resp, body := p.ask(t, "GET", "/", nil)
			if want := "name=" + test.certificate; resp.StatusCode != test.status || test.status == http.StatusOK && !strings.HasSuffix(body, want) {
				t.Errorf("status %d, answer %q, want %d and %q", resp.StatusCode, body, test.status, want)
			}
		})
	}
}

func TestFaultsOfTLSToBackends(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, _ := ca.Issue(t, x509.Certificate{}).Files(t)
	pinned := ";fingerprint=" + sha256Of(ca.Leaf)
	for name, test := range map[string]struct{ environ, want []string }{
		"options of TLS without it": {
			[]string{"BACKENDS=http://a;ca-file=" + ca.File + ";server-name=b,h2c://b;tls-verify=off,echo:c" + pinned},
			[]string{
				`BACKENDS: backend "http://a;ca-file=` + ca.File + `;server-name=b": server-name is for https alone`,
				`BACKENDS: backend "http://a;ca-file=` + ca.File + `;server-name=b": ca-file is for https alone`,
				`BACKENDS: backend "h2c://b;tls-verify=off": tls-verify is for https alone`,
				`BACKENDS: backend "echo:c` + pinned + `": fingerprint is for https alone`,
			},
		},
		"values": {
			[]string{"BACKENDS=https://a;server-name=*.b;fingerprint=sha256:12;ca-file=;tls-verify=no;server-name=c", "BACKEND_SERVER_NAME=a b"},
			[]string{
				`BACKENDS: backend "https://a;server-name=*.b;fingerprint=sha256:12;ca-file=;tls-verify=no;server-name=c": server-name "*.b" must be the name of a server as certificates have it, such as app.internal, or an address`,
				`BACKENDS: backend "https://a;server-name=*.b;fingerprint=sha256:12;ca-file=;tls-verify=no;server-name=c": fingerprint "sha256:12" must be sha256: and the 64 hexadecimal digits of a certificate's SHA-256`,
				`BACKENDS: backend "https://a;server-name=*.b;fingerprint=sha256:12;ca-file=;tls-verify=no;server-name=c": ca-file must name a file`,
				`BACKENDS: backend "https://a;server-name=*.b;fingerprint=sha256:12;ca-file=;tls-verify=no;server-name=c": tls-verify "no" must be off or on`,
				`BACKENDS: backend "https://a;server-name=*.b;fingerprint=sha256:12;ca-file=;tls-verify=no;server-name=c": server-name is given twice`,
				`BACKEND_SERVER_NAME="a b": must be the name of a server as certificates have it, such as app.internal, or an address`,
			},
		},
		"one against the other": {
			[]string{"BACKENDS=https://a;tls-verify=off;ca-file=" + ca.File + pinned + ",https://b;key-file=/k"},
			[]string{
				`BACKENDS: backend "https://a;tls-verify=off;ca-file=` + ca.File + pinned + `": ca-file is of no use with fingerprint, which says by itself which certificate is believed`,
				`BACKENDS: backend "https://a;tls-verify=off;ca-file=` + ca.File + pinned + `": tls-verify is of no use with fingerprint, which is what is verified`,
				`BACKENDS: backend "https://a;tls-verify=off;ca-file=` + ca.File + pinned + `": ca-file is of no use with tls-verify=off`,
				`BACKENDS: backend "https://b;key-file=/k": key-file needs cert-file`,
			},
		},
		"files": {
			[]string{"BACKENDS=https://a;ca-file=/none/ca.crt,https://b;cert-file=" + cert, "BACKEND_CERT_FILE=/none/a.crt"},
			[]string{
				"BACKEND_CERT_FILE: open /none/a.crt: no such file or directory",
				`BACKENDS: backend "https://a": ca-file: open /none/ca.crt: no such file or directory`,
				`BACKENDS: backend "https://b": cert-file: ` + cert + ": found a certificate rather than a key in the PEM for the private key",
			},
		},
		"variables of no use": {
			[]string{"BACKENDS=http://a", "BACKEND_SERVER_NAME=b", "BACKEND_KEY_FILE=/k"},
			[]string{
				"BACKEND_KEY_FILE: is of no use without https: in BACKENDS", "BACKEND_KEY_FILE: is of no use without BACKEND_CERT_FILE",
				"BACKEND_SERVER_NAME: is of no use without https: in BACKENDS",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), append([]string{"PORT=0", "PROBE_MODE=off", "OTEL_SDK_DISABLED=true"}, test.environ...), io.Discard)
			if err == nil {
				t.Fatal("it starts")
			}
			if diff := cmp.Diff(test.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
	// What is right is shown as it was written.
	var shown strings.Builder
	written := "https://a;weight=2;server-name=b;ca-file=" + ca.File + ",https://c" + pinned
	if err := command(context.Background(), []string{"config", "--changed"}, []string{"BACKENDS=" + written}, &shown); err != nil || !strings.Contains(shown.String(), written) {
		t.Errorf("config shows %s, %v", shown.String(), err)
	}
}
