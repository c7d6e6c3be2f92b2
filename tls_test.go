package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/certificate/certtest"
	"spangate/handler/wire/wiretest"
)

// overTLS returns what clients of p verify it with, and over which protocol they
// speak.
func overTLS(t *testing.T, trust *tls.Config, http2 bool) *http.Transport {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{TLSClientConfig: trust, Protocols: &protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// ofHTTPS returns the address that p listens on for HTTPS beside HTTP.
func (p *program) ofHTTPS(t *testing.T) string {
	t.Helper()
	p.await(`"msg":"listening for HTTPS"`) // it is said behind the line that start waits for
	return p.line(t, "listening for HTTPS")["address"].(string)
}

func get(t *testing.T, transport http.RoundTripper, url string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key)
	for _, http2 := range []bool{false, true} {
		resp, body := get(t, overTLS(t, &tls.Config{RootCAs: ca.Pool}, http2), "https://"+p.addr+"/x?y=1")
		var echoed struct{ Headers map[string][]string }
		if err := json.Unmarshal([]byte(body), &echoed); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 200 || (resp.ProtoMajor == 2) != http2 || echoed.Headers["X-Forwarded-Proto"][0] != "https" {
			t.Errorf("http2=%v: %s %s, and the backend is told %v", http2, resp.Proto, resp.Status, echoed.Headers)
		}
		if state := resp.TLS; state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
			t.Errorf("agreed on %s with %v", tls.VersionName(state.Version), state.CurveID)
		}
	}
	var status struct{ Certificates []map[string]any }
	_, body := get(t, overTLS(t, &tls.Config{RootCAs: ca.Pool}, false), "https://"+p.addr+"/.spangate/status")
	if err := json.Unmarshal([]byte(body), &status); err != nil || len(status.Certificates) != 1 || status.Certificates[0]["name"] != "localhost" {
		t.Errorf("the status is %s, %v", body, err)
	}
	_, port, _ := net.SplitHostPort(p.addr)
	if err := command(t.Context(), []string{"healthcheck"}, []string{"HOST=127.0.0.1", "PORT=" + port, "TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key}, io.Discard); err != nil {
		t.Error(err)
	}
	if answer := sendRaw(t, p.addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 400") || !strings.Contains(answer, "HTTP on a port of HTTPS") {
		t.Errorf("in the clear the answer is %q", answer)
	}
	p.stop()
	for _, span := range p.spans("SERVER") {
		if span.Attributes["url.scheme"] != "https" {
			t.Errorf("url.scheme is %v", span.Attributes["url.scheme"])
		}
	}
}

func TestHTTPSBesideHTTP(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	port := wiretest.FreePort(t)
	backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=1")
		io.WriteString(w, r.Host)
	})
	p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key, "TLS_PORT="+port,
		"HTTPS_REDIRECT=on", "HSTS=max-age=31536000; includeSubDomains", "TRUSTED_PROXIES=127.0.0.0/8", "CORS_ALLOWED_ORIGINS=*")
	for name, test := range map[string]struct {
		request  string
		status   string
		location string
	}{
		"a path":             {"GET /a%2Fb/?c=d&e HTTP/1.1\r\nHost: a.test\r\n", "308", "https://a.test/a%2Fb/?c=d&e"},
		"the usual port":     {"GET / HTTP/1.1\r\nHost: a.test:80\r\n", "308", "https://a.test/"},
		"a port of its own":  {"GET / HTTP/1.1\r\nHost: a.test:8080\r\n", "308", "https://a.test:" + port + "/"},
		"an address":         {"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n", "308", "https://[::1]:" + port + "/"},
		"a bare address":     {"GET / HTTP/1.1\r\nHost: [::1]\r\n", "308", "https://[::1]/"},
		"absolute form":      {"GET http://a.test/x?y HTTP/1.1\r\nHost: a.test\r\n", "308", "https://a.test/x?y"},
		"absolute, no path":  {"GET http://a.test HTTP/1.1\r\nHost: a.test\r\n", "308", "https://a.test/"},
		"and a query":        {"GET http://a.test?x HTTP/1.1\r\nHost: a.test\r\n", "308", "https://a.test/?x"},
		"OPTIONS, a query":   {"OPTIONS http://a.test?x HTTP/1.1\r\nHost: a.test\r\n", "308", "https://a.test/?x"},
		"the whole server":   {"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n", "204", ""},
		"a tunnel":           {"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n", "501", ""},
		"no host":            {"GET / HTTP/1.1\r\nHost:\r\n", "400", ""},
		"HTTP/1.0, no host":  {"GET / HTTP/1.0\r\n", "400", ""},
		"half an address":    {"GET / HTTP/1.1\r\nHost: [::1\r\n", "400", ""},
		"an address, bare":   {"GET / HTTP/1.1\r\nHost: ::1\r\n", "400", ""},
		"a port that is no":  {"GET / HTTP/1.1\r\nHost: a.test:port\r\n", "400", ""},
		"a list of hosts":    {"GET / HTTP/1.1\r\nHost: a.test,b.test\r\n", "400", ""},
		"a user":             {"GET http://u:p@a.test/ HTTP/1.1\r\nHost: a.test\r\n", "400", ""},
		"another scheme":     {"GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n", "400", ""},
		"two slashes":        {"GET //evil.test/ HTTP/1.1\r\nHost: a.test\r\n", "308", "https://a.test//evil.test/"},
		"a body":             {"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n", "308", "https://a.test/"},
		"a preflight":        {"OPTIONS / HTTP/1.1\r\nHost: a.test\r\nOrigin: https://b.test\r\nAccess-Control-Request-Method: GET\r\n", "308", "https://a.test/"},
		"by a trusted proxy": {"GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Proto: https\r\n", "200", ""},
		"its own endpoints":  {"GET /.spangate/live HTTP/1.1\r\nHost: a.test\r\n", "200", ""},
	} {
		answer := sendRaw(t, p.addr, test.request+"Connection: close\r\n\r\nabc")
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
		if err != nil {
			t.Fatalf("%s: %v in %q", name, err, answer)
		}
		if status := resp.Status[:3]; status != test.status || resp.Header.Get("Location") != test.location {
			t.Errorf("%s: status %s to %q, want %s to %q", name, status, resp.Header.Get("Location"), test.status, test.location)
		}
		strict := resp.Header.Get("Strict-Transport-Security")
		if want := name == "by a trusted proxy"; (strict != "") != want {
			t.Errorf("%s: Strict-Transport-Security is %q", name, strict)
		}
	}
	resp, _ := get(t, overTLS(t, &tls.Config{RootCAs: ca.Pool}, true), "https://"+p.ofHTTPS(t)+"/")
	if got := resp.Header["Strict-Transport-Security"]; len(got) != 1 || got[0] != "max-age=31536000; includeSubDomains" {
		t.Errorf("Strict-Transport-Security is %q", got)
	}
}

func TestHandshakes(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	first, firstKey := ca.Issue(t, x509.Certificate{DNSNames: []string{"first.test"}}).Files(t)
	second, secondKey := ca.Issue(t, x509.Certificate{DNSNames: []string{"*.second.test"}}).Files(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+first+","+second, "TLS_KEY_FILE="+firstKey+","+secondKey)
	for name, test := range map[string]struct {
		client *tls.Config
		shown  string
		want   string // of the error
	}{
		"the first":        {client: &tls.Config{ServerName: "first.test"}, shown: "first.test"},
		"a wildcard":       {client: &tls.Config{ServerName: "a.second.test"}, shown: "*.second.test"},
		"nobody's":         {client: &tls.Config{ServerName: "other.test", InsecureSkipVerify: true}, shown: "first.test"},
		"TLS 1.2":          {client: &tls.Config{ServerName: "first.test", MaxVersion: tls.VersionTLS12}, shown: "first.test"},
		"TLS 1.1":          {client: &tls.Config{ServerName: "first.test", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, want: "protocol version not supported"},
		"an old cipher":    {client: &tls.Config{ServerName: "first.test", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, want: "handshake failure"},
		"another protocol": {client: &tls.Config{ServerName: "first.test", NextProtos: []string{"ftp"}}, want: "no application protocol"},
	} {
		test.client.RootCAs = ca.Pool
		conn, err := tls.Dial("tcp", p.addr, test.client)
		if err != nil {
			if test.want == "" || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: error is %v, want %q", name, err, test.want)
			}
			continue
		}
		if got := conn.ConnectionState().PeerCertificates[0].DNSNames[0]; test.want != "" || got != test.shown {
			t.Errorf("%s: shown is %s, want %s", name, got, test.shown)
		}
		conn.Close()
	}
}

// A client that goes on to send learns all the same why it is not served.
func TestLastWordsOfAHandshake(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key, "TLS_CLIENT_CA_FILE="+ca.File)
	content := strings.Repeat("x", 256<<10)
	request := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(content), content)
	for range 20 {
		conn, err := tls.Dial("tcp", p.addr, &tls.Config{RootCAs: ca.Pool, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err) // the server has not looked for a certificate yet
		}
		io.WriteString(conn, request)
		if _, err := io.ReadAll(conn); err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("without a certificate the error is %v", err)
		}
		conn.Close()
		if answer := sendRaw(t, p.addr, request); !strings.HasPrefix(answer, "HTTP/1.1 400") {
			t.Errorf("in the clear the answer is %.50q", answer)
		}
	}
}

// Who names no host, as there is none for an address, came to an address.
func TestCertificateForAnAddress(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	first, firstKey := ca.Issue(t, x509.Certificate{DNSNames: []string{"first.test"}}).Files(t)
	second, secondKey := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+first+","+second, "TLS_KEY_FILE="+firstKey+","+secondKey)
	if resp, _ := get(t, overTLS(t, &tls.Config{RootCAs: ca.Pool}, true), "https://"+p.addr); resp.StatusCode != 200 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// A session is resumed, but not beyond the certificate that it began with.
func TestSessions(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key, "TLS_RELOAD_INTERVAL=1ms")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := &tls.Config{RootCAs: ca.Pool, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		resumed := func() bool {
			t.Helper()
			transport := overTLS(t, client, false)
			defer transport.CloseIdleConnections()
			resp, _ := get(t, transport, "https://"+p.addr) // tickets of TLS 1.3 come with an answer
			return resp.TLS.DidResume
		}
		if first, second := resumed(), resumed(); first || !second {
			t.Errorf("%s: the first is resumed: %t, the second: %t", tls.VersionName(version), first, second)
		}
		next := ca.Issue(t, x509.Certificate{})
		swap(t, key, next.Key)
		swap(t, cert, next.Certificate)
		p.shows(t, ca, next.TLS(t).Leaf)
		if resumed() {
			t.Errorf("%s: resumed with another certificate", tls.VersionName(version))
		}
	}
}

// Certificates change a hundred times while clients come and go.
func TestCertificatesThatChange(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key, "TLS_RELOAD_INTERVAL=1ms", "ACCESS_LOG=off", "OTEL_SDK_DISABLED=true")
	var enough atomic.Bool
	var traffic sync.WaitGroup
	var served atomic.Int64
	for i := range 4 {
		kept := overTLS(t, &tls.Config{RootCAs: ca.Pool}, i%2 == 0) // over one connection all along
		traffic.Go(func() {
			for !enough.Load() {
				if i > 1 {
					kept.CloseIdleConnections() // or one for each request
				}
				r, _ := http.NewRequestWithContext(context.Background(), "GET", "https://"+p.addr, nil)
				resp, err := kept.RoundTrip(r)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				served.Add(1)
			}
		})
	}
	for range 100 {
		next := ca.Issue(t, x509.Certificate{})
		swap(t, cert, next.Certificate)
		swap(t, key, next.Key)
		p.shows(t, ca, next.TLS(t).Leaf)
	}
	enough.Store(true)
	traffic.Wait()
	if served.Load() < 100 {
		t.Errorf("%d requests were served", served.Load())
	}
}

// swap replaces a file as a whole.
func swap(t *testing.T, file string, content []byte) {
	t.Helper()
	certtest.Write(t, file+".new", content)
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// shown returns the certificate that p shows.
func (p *program) shown(t *testing.T, ca *certtest.Authority) *x509.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", p.addr, &tls.Config{RootCAs: ca.Pool, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// shows returns once p shows a certificate.
func (p *program) shows(t *testing.T, ca *certtest.Authority, want *x509.Certificate) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !p.shown(t, ca).Equal(want); {
		if time.Now().After(deadline) {
			t.Fatal("the certificate is not shown")
		}
	}
}

func TestCertificatesThatAreNotTaken(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	for name, next := range map[string]func(t *testing.T) certtest.Pair{
		"expired": func(t *testing.T) certtest.Pair {
			return ca.Issue(t, x509.Certificate{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
		},
		"another's key": func(t *testing.T) certtest.Pair {
			return certtest.Pair{Certificate: ca.Issue(t, x509.Certificate{}).Certificate, Key: ca.Issue(t, x509.Certificate{}).Key}
		},
		"half written": func(t *testing.T) certtest.Pair {
			pair := ca.Issue(t, x509.Certificate{})
			return certtest.Pair{Certificate: pair.Certificate[:len(pair.Certificate)/2], Key: pair.Key}
		},
		"empty": func(*testing.T) certtest.Pair { return certtest.Pair{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := ca.Issue(t, x509.Certificate{})
			cert, key := before.Files(t)
			p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key, "TLS_RELOAD_INTERVAL=1ms")
			wrong := next(t)
			swap(t, key, wrong.Key)
			swap(t, cert, wrong.Certificate)
			p.await("cannot be used")
			if !p.shown(t, ca).Equal(before.TLS(t).Leaf) {
				t.Error("the certificate from before is not shown any more")
			}
			for _, line := range p.log.named(t, "level", "WARN") {
				if text := fmt.Sprint(line["exception.message"]); !strings.HasPrefix(text, "TLS_CERT_FILE, TLS_KEY_FILE: ") {
					t.Errorf("the warning is %v", line)
				}
			}
			right := ca.Issue(t, x509.Certificate{})
			swap(t, cert, right.Certificate)
			swap(t, key, right.Key)
			p.shows(t, ca, right.TLS(t).Leaf)
		})
	}
}

// What an authority says of a certificate must not keep the next one out.
func TestStaplesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key, "TLS_RELOAD_INTERVAL=1ms")
	certtest.Write(t, cert+".ocsp", []byte("rubbish"))
	next := ca.Issue(t, x509.Certificate{})
	swap(t, key, next.Key)
	swap(t, cert, next.Certificate)
	p.shows(t, ca, next.TLS(t).Leaf)
}

func TestFaultsOfTLS(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	_, otherKey := ca.Issue(t, x509.Certificate{}).Files(t)
	for name, test := range map[string]struct{ environ, want []string }{
		"no such files": {
			[]string{"TLS_CERT_FILE=/none/a.crt", "TLS_KEY_FILE=" + key, "TLS_CLIENT_CA_FILE=/none/ca.crt"},
			[]string{"TLS_CERT_FILE, TLS_KEY_FILE: open /none/a.crt: no such file or directory", "TLS_CLIENT_CA_FILE: open /none/ca.crt: no such file or directory"},
		},
		"another's key": {[]string{"TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + otherKey}, []string{"TLS_CERT_FILE, TLS_KEY_FILE: " + cert + ": private key does not match public key"}},
		"fewer keys":    {[]string{"TLS_CERT_FILE=" + cert + "," + cert, "TLS_KEY_FILE=" + key}, []string{"TLS_KEY_FILE: names 1 files, and TLS_CERT_FILE 2"}},
		"a key alone":   {[]string{"TLS_KEY_FILE=" + key}, []string{"TLS_KEY_FILE: is of no use without TLS_CERT_FILE"}},
		"a port alone":  {[]string{"TLS_PORT=8443"}, []string{"TLS_PORT: is of no use without TLS_CERT_FILE or TLS_ACME_DOMAINS"}},
		"a shut door that is not there": {
			[]string{"TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key, "TLS_CLIENT_AUTH=require"},
			[]string{"TLS_CLIENT_AUTH: is of no use without TLS_CLIENT_CA_FILE"},
		},
		"an empty door": {[]string{"TLS_CERT_FILE="}, []string{"TLS_CERT_FILE: is set but empty, which must not open the door by mistake; leave it out to serve without TLS"}},
		"one port for both": {
			[]string{"TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key, "TLS_PORT=8080"},
			[]string{`TLS_PORT="8080": must not be that of PORT; leave it empty to have HTTPS alone there`},
		},
		"HTTP lets in without a certificate": {
			[]string{"TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key, "TLS_PORT=8443", "TLS_CLIENT_CA_FILE=" + ca.File, "AUTH_API_KEYS=a:0123456789abcdef"},
			[]string{"TLS_CLIENT_CA_FILE, TLS_PORT: who comes over HTTP gets in without a certificate; leave TLS_PORT out, or set HTTPS_REDIRECT=on or AUTH_CLIENT_CERT"},
		},
		"nobody comes over HTTPS": {
			[]string{"HTTPS_REDIRECT=on", "HSTS=max-age=1"},
			[]string{
				"HTTPS_REDIRECT: is of no use without TLS_CERT_FILE or TLS_ACME_DOMAINS and with TRUSTED_PROXIES=none",
				"HSTS: is of no use without TLS_CERT_FILE or TLS_ACME_DOMAINS and with TRUSTED_PROXIES=none",
			},
		},
		"words": {
			[]string{"TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key, "TLS_MIN_VERSION=1.1", "TLS_CLIENT_CA_FILE=" + ca.File, "TLS_CLIENT_AUTH=none", "HSTS=1 year", "HTTPS_REDIRECT=yes"},
			[]string{
				`TLS_MIN_VERSION="1.1": must be 1.2 or 1.3`, `TLS_CLIENT_AUTH="none": must be request or require`, `HTTPS_REDIRECT="yes": must be on or off`,
				`HSTS="1 year": must be max-age=SECONDS, and then, each after a semicolon, includeSubDomains and preload if they are meant`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), append(test.environ, "BACKENDS=echo:a"), io.Discard)
			if err == nil {
				t.Fatal("it starts")
			}
			if diff := cmp.Diff(test.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
