package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"spangate/handler/certificate/certtest"
)

// What is told of certificates that backends show: until when they are valid, which
// one that is, and by whom nobody is believed.
func TestCertificatesOfBackendsThatAreTold(t *testing.T) {
	t.Parallel()
	ca, stranger := certtest.New(t), certtest.New(t)
	backend := func(c x509.Certificate, by *certtest.Authority) (string, string) {
		pair := by.Issue(t, c).TLS(t)
		return "https://" + secureServer(t, &tls.Config{Certificates: []tls.Certificate{pair}}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
		}), sha256Of(pair.Leaf)
	}
	days := func(n float64) time.Time { return time.Now().Add(time.Duration(n * 24 * float64(time.Hour))) }
	late, _ := backend(x509.Certificate{NotBefore: days(-80), NotAfter: days(5)}, ca)
	short, _ := backend(x509.Certificate{NotBefore: days(-0.1), NotAfter: days(0.9)}, ca)
	strange, fingerprint := backend(x509.Certificate{NotBefore: days(-1), NotAfter: days(80)}, stranger)
	mine, _ := ca.Issue(t, x509.Certificate{DNSNames: []string{"proxy.test"}, NotBefore: days(-80), NotAfter: days(3)}).Files(t)
	p := start(t, "BACKENDS="+late+","+short+","+strange+";tls-verify=off", "BACKEND_CA_FILE="+ca.File,
		"BACKEND_CERT_FILE="+mine, "BACKEND_KEY_FILE="+strings.Replace(mine, "tls.crt", "tls.key", 1), "PROBE_INTERVAL=10ms")
	for range 9 {
		if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	p.await(`"fingerprint":"` + fingerprint + `"`)
	p.await("proxy.test")
	for _, b := range p.status(t).Backends {
		if b.Certificate == nil || b.Certificate.NotAfter.IsZero() || b.Name == strange && "sha256:"+b.Certificate.Fingerprint != fingerprint {
			t.Errorf("the status of %s has the certificate %+v", b.Name, b.Certificate)
		}
	}
	p.stop()
	var warned []string
	for _, line := range p.log.named(t, "level", "WARN") {
		says := fmt.Sprint(line["msg"], " ", line["spangate.backend"])
		if left, ok := line["spangate.tls.certificate.expires_in"].(float64); ok {
			says += fmt.Sprintf(" %.1f", left)
		}
		warned = append(warned, says)
	}
	want := []string{
		"a certificate expires soon <nil> 3.0",
		"a certificate expires soon " + late + " 5.0",
		"nobody verifies the certificate of a backend: whoever answers at its address gets its requests, with all that clients send along <nil>",
		"nobody verifies the certificate of a backend; with fingerprint= in place of tls-verify=off it has to be this one <nil>",
	}
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(warned))); diff != "" {
		t.Errorf("warned of (-want +got):\n%s", diff)
	}
	left := map[string]string{}
	for _, point := range p.points("spangate.tls.certificate.expires_in") {
		left[fmt.Sprint(point.Attributes["spangate.backend"], " ", point.Attributes["spangate.tls.certificate"])] = fmt.Sprintf("%.1f", point.Value)
	}
	if diff := cmp.Diff(map[string]string{late + " <nil>": "5.0", short + " <nil>": "0.9", strange + " <nil>": "80.0", "<nil> proxy.test": "3.0"}, left); diff != "" {
		t.Errorf("days left (-want +got):\n%s", diff)
	}
}

// Why there is no agreement with a backend is counted by its reason.
func TestHandshakesWithBackendsThatFail(t *testing.T) {
	t.Parallel()
	ca, stranger := certtest.New(t), certtest.New(t)
	right := []tls.Certificate{ca.Issue(t, x509.Certificate{}).TLS(t)}
	plain := strings.TrimPrefix(plainBackend(t, func(http.ResponseWriter, *http.Request) {}), "http://")
	for reason, test := range map[string]struct {
		address, options string
	}{
		"certificate_unknown_authority": {secureBackend(t, &tls.Config{Certificates: []tls.Certificate{stranger.Issue(t, x509.Certificate{}).TLS(t)}}), ""},
		"certificate_wrong_name":        {secureBackend(t, &tls.Config{Certificates: right}), ";server-name=other.test"},
		"certificate_expired":           {secureBackend(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, x509.Certificate{NotBefore: anHourAgo.Add(-time.Hour), NotAfter: anHourAgo}).TLS(t)}}), ""},
		"certificate_not_pinned":        {secureBackend(t, &tls.Config{Certificates: right}), ";fingerprint=" + sha256Of(stranger.Leaf)},
		"alert_certificate_required":    {secureBackend(t, &tls.Config{Certificates: right, ClientAuth: tls.RequireAnyClientCert}), ""},
		"alert_protocol_version":        {secureBackend(t, &tls.Config{Certificates: right, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}), ""},
		"not_tls":                       {plain, ""},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			options := test.options
			if !strings.Contains(options, "fingerprint") {
				options += ";ca-file=" + ca.File
			}
			p := start(t, "BACKENDS=https://"+test.address+options, "PROBE_MODE=off", "RETRY_ATTEMPTS=0")
			p.ask(t, "GET", "/", nil)
			p.stop()
			got := map[string]float64{}
			for _, point := range p.points("spangate.tls.handshake.failures") {
				got[fmt.Sprint(point.Attributes["spangate.tls.peer"], " ", point.Attributes["error.type"])] += point.Value
			}
			if diff := cmp.Diff(map[string]float64{"backend " + reason: 1}, got); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
			line := p.line(t, "a handshake of TLS failed")
			if line["spangate.backend"] != "https://"+test.address || line["error.type"] != reason || line["exception.message"] == "" {
				t.Errorf("the event is %v", line)
			}
			if request := p.line(t, "request"); request["error_type"] != "tls_handshake_error" || fmt.Sprint(request["error"]) == "" {
				t.Errorf("the request's line is %v", request)
			}
		})
	}
}

// A call of gRPC to a backend that speaks it over TLS, with certificates on both
// sides, and verified by another name.
func TestGRPCOverTLSToBackends(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	address := grpcBackend(t, &grpcService{}, grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{ca.Issue(t, x509.Certificate{DNSNames: []string{"grpc.internal"}}).TLS(t)},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool,
	})))
	for _, probing := range []string{"PROBE_TYPE=tcp", "PROBE_MODE=off"} {
		p := start(t, "BACKENDS=https://"+address+";server-name=grpc.internal;ca-file="+ca.File+";cert-file="+cert+";key-file="+key, probing)
		client := grpcClient(t, p)
		reply, err := client.UnaryCall(t.Context(), payload(100<<10))
		if err != nil || len(reply.GetPayload().GetBody()) != 100<<10 {
			t.Errorf("%d bytes, %v", len(reply.GetPayload().GetBody()), err)
		}
		p.stop()
		span := p.span(t, "CLIENT")
		if span.Attributes["tls.next_protocol"] != "h2" || span.Attributes["network.protocol.version"] != "2" {
			t.Errorf("the span has %v", span.Attributes)
		}
	}
}

// A session that the backend takes no more fails once at most: the next handshake is
// a whole one. Its tickets may be another instance's, or of before a restart.
func TestSessionsThatBackendsRefuse(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var refuse atomic.Bool
		cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, x509.Certificate{}).TLS(t)}, MaxVersion: version}
		cfg.UnwrapSession = func(identity []byte, state tls.ConnectionState) (*tls.SessionState, error) {
			if refuse.Load() && len(identity) > 0 {
				return nil, fmt.Errorf("no such session")
			}
			return cfg.DecryptTicket(identity, state)
		}
		cfg.WrapSession = cfg.EncryptTicket
		address := secureServer(t, cfg, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
		p := start(t, "BACKENDS=https://"+address, "BACKEND_CA_FILE="+ca.File, "PROBE_MODE=off", "RETRY_BACKOFF=1ms")
		for i := range 6 {
			refuse.Store(i == 2 || i == 3)
			if resp, _ := p.ask(t, "POST", "/", strings.NewReader("order")); resp.StatusCode != http.StatusOK {
				t.Errorf("%s: status %d", tls.VersionName(version), resp.StatusCode)
			}
		}
	}
}

// A backend that says, as it closes, that it closes: tickets and that look alike from
// outside.
func TestTicketsOfBackends(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cfg := &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, x509.Certificate{}).TLS(t)}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{}, 100)
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
		if r.URL.Path == "/last" {
			conn, rw, _ := http.NewResponseController(w).Hijack()
			fmt.Fprint(rw, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			rw.Flush()
			conn.Close() // without a word of it in the header
			closed <- struct{}{}
		}
	})}
	go server.Serve(tls.NewListener(ln, cfg))
	t.Cleanup(func() { server.Close() })
	p := start(t, "BACKENDS=https://"+ln.Addr().String(), "BACKEND_CA_FILE="+ca.File, "PROBE_MODE=off", "RETRY_ATTEMPTS=0")
	for range 20 {
		resp, _ := p.ask(t, "GET", "/last", nil)
		<-closed
		if again, body := p.ask(t, "POST", "/", bytes.NewReader([]byte("order"))); resp.StatusCode != 200 || again.StatusCode != 200 || body != "order" {
			t.Errorf("status %d, and then %d", resp.StatusCode, again.StatusCode)
		}
	}
}
