package main

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/certificate/certtest"
	"spangate/handler/wire/wiretest"
)

// mutual is an authority with what a server and its clients need of it.
type mutual struct {
	*certtest.Authority
	environ []string
}

// newMutual returns one whose server asks for certificates.
func newMutual(t *testing.T, environ ...string) mutual {
	t.Helper()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	return mutual{ca, append([]string{"BACKENDS=echo:a", "PROBE_MODE=off", "TLS_CERT_FILE=" + cert, "TLS_KEY_FILE=" + key, "TLS_CLIENT_CA_FILE=" + ca.File}, environ...)}
}

// with returns the configuration with more in it.
func (m mutual) with(environ ...string) []string { return slices.Concat(m.environ, environ) }

// client returns what a client shows, whatever the server asks for.
func (m mutual) client(certs ...tls.Certificate) *tls.Config {
	c := &tls.Config{RootCAs: m.Pool, ServerName: "localhost"}
	if len(certs) > 0 {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certs[0], nil }
	}
	return c
}

// ask makes a request over a connection of its own, and returns its status and what
// the backend has got, or why there is no answer.
func ask(t *testing.T, client *tls.Config, http2 bool, url string, header ...string) (status int, echoed http.Header, err error) {
	t.Helper()
	transport := overTLS(t, client, http2)
	defer transport.CloseIdleConnections()
	return askOver(t, transport, url, header...)
}

func askOver(t *testing.T, transport http.RoundTripper, url string, header ...string) (status int, echoed http.Header, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range header {
		name, value, _ := strings.Cut(field, ": ")
		r.Header[name] = []string{value}
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	var got struct{ Headers http.Header }
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, got.Headers, nil
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	m := newMutual(t)
	issue := func(of *certtest.Authority, template x509.Certificate, behind ...*x509.Certificate) []tls.Certificate {
		c := of.Issue(t, template).TLS(t)
		for _, next := range behind {
			c.Certificate = append(c.Certificate, next.Raw)
		}
		return []tls.Certificate{c}
	}
	between := m.Intermediate(t)
	right := issue(m.Authority, x509.Certificate{})
	stolen := issue(m.Authority, x509.Certificate{})
	stolen[0].PrivateKey = right[0].PrivateKey
	byClient := &certtest.Authority{Leaf: right[0].Leaf, Key: right[0].PrivateKey.(*ecdsa.PrivateKey)}
	none := "certificate_missing"
	tests := map[string]struct {
		shows []tls.Certificate
		fails string // the reason of the handshake; empty: it does not
	}{
		"right":                     {right, ""},
		"right, by an intermediate": {issue(between, x509.Certificate{}, between.Leaf), ""},
		"without the intermediate":  {issue(between, x509.Certificate{}), "certificate_unknown_authority"},
		"none":                      {nil, none},
		"another authority's":       {issue(certtest.New(t), x509.Certificate{}), "certificate_unknown_authority"},
		"expired":                   {issue(m.Authority, x509.Certificate{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}), "certificate_expired"},
		"not yet valid":             {issue(m.Authority, x509.Certificate{NotBefore: time.Now().Add(time.Hour)}), "certificate_expired"},
		"a server's":                {issue(m.Authority, x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}), "certificate_wrong_usage"},
		"without its key":           {stolen, "certificate_invalid"},
		"signed by a client":        {issue(byClient, x509.Certificate{}, right[0].Leaf), "certificate_unknown_authority"},
	}
	for _, auth := range []string{"require", "request"} {
		p := start(t, m.with("TLS_CLIENT_AUTH="+auth)...)
		want := map[any]float64{}
		for name, test := range tests {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				client := m.client(test.shows...)
				client.MaxVersion = version
				status, _, err := ask(t, client, version == tls.VersionTLS13, "https://"+p.addr+"/")
				switch {
				case test.fails == "" || test.fails == none && auth == "request":
					if status != http.StatusOK {
						t.Errorf("%s, %s, %s: status %d, %v", auth, name, tls.VersionName(version), status, err)
					}
				case err == nil:
					t.Errorf("%s, %s, %s: status %d", auth, name, tls.VersionName(version), status)
				default:
					want[test.fails]++
				}
			}
		}
		p.stop()
		got := map[any]float64{}
		for _, point := range p.points("spangate.tls.handshake.failures") {
			got[point.Attributes["error.type"]] += point.Value
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: failures (-want +got):\n%s", auth, diff)
		}
	}
}

// Whom a certificate names is told to the backend, and nobody else is let in.
func TestAuthByClientCertificate(t *testing.T) {
	t.Parallel()
	m := newMutual(t, "TLS_CLIENT_AUTH=request", "AUTH_EXEMPT_PATHS=/open")
	full := m.Issue(t, x509.Certificate{
		URIs:     append(certtest.URI(t, "spiffe://prod.test/ns/a/sa/b"), certtest.URI(t, "spiffe://prod.test/second")...),
		DNSNames: []string{"a.test", "b.test"}, Subject: pkix.Name{CommonName: "Ann Ä"},
	}).TLS(t)
	bare := m.Issue(t, x509.Certificate{URIs: certtest.URI(t, "spiffe://x/"), Subject: pkix.Name{}}).TLS(t)
	onlyDNS := m.Issue(t, x509.Certificate{DNSNames: []string{"c.test"}}).TLS(t)
	sum := sha256.Sum256(full.Leaf.Raw)
	const forged = "X-Auth-Principal: root"
	for _, test := range []struct {
		by     string
		nobody tls.Certificate // has no such name
		want   string
	}{
		{"san-uri", onlyDNS, "spiffe://prod.test/ns/a/sa/b"},
		{"san-dns", bare, "a.test"},
		{"cn", bare, "Ann%20%C3%84"},
		{"fingerprint", tls.Certificate{}, hex.EncodeToString(sum[:])},
	} {
		p := start(t, m.with("AUTH_CLIENT_CERT="+test.by)...)
		url := "https://" + p.addr
		for _, http2 := range []bool{false, true} {
			status, echoed, err := ask(t, m.client(full), http2, url+"/", forged, "X-Auth-Method: jwt")
			if status != 200 || echoed.Get("X-Auth-Principal") != test.want || echoed.Get("X-Auth-Method") != "client_cert" {
				t.Errorf("%s, http2=%v: status %d, %v, %v", test.by, http2, status, echoed, err)
			}
			if status, _, err := ask(t, m.client(), http2, url+"/", forged, "Client-Cert: :"+base64.StdEncoding.EncodeToString(full.Leaf.Raw)+":"); status != 401 {
				t.Errorf("%s, http2=%v: without a certificate status %d, %v", test.by, http2, status, err)
			}
			if status, echoed, _ := ask(t, m.client(full), http2, url+"/open", forged); status != 200 || echoed.Get("X-Auth-Principal") != "" {
				t.Errorf("%s, http2=%v: an exempt path: status %d, %v", test.by, http2, status, echoed)
			}
			if test.nobody.Leaf != nil {
				if status, _, err := ask(t, m.client(test.nobody), http2, url+"/", forged); status != 401 {
					t.Errorf("%s, http2=%v: without such a name status %d, %v", test.by, http2, status, err)
				}
			}
		}
		if doors := p.line(t, "doors"); doors["authentication"] != "client_cert" {
			t.Errorf("doors are %v", doors)
		}
		p.stop()
		reasons := map[any]bool{}
		for _, line := range p.log.requests(t) {
			reasons[line["reason"]] = true
			if line["status"] == 200.0 && line["path"] != "/open" && (line["principal"] == nil || line["auth"] != "client_cert") {
				t.Errorf("the log says %v", line)
			}
		}
		if want := map[any]bool{nil: true, "missing": true, "certificate_name": test.nobody.Leaf != nil}; test.nobody.Leaf != nil && !cmp.Equal(want, reasons) {
			t.Errorf("%s: reasons are %v", test.by, reasons)
		}
	}
}

// One credential is enough, and none may be wrong.
func TestClientCertificateBesideOtherCredentials(t *testing.T) {
	t.Parallel()
	m := newMutual(t, "TLS_CLIENT_AUTH=request", "TLS_PORT="+wiretest.FreePort(t), "AUTH_CLIENT_CERT=san-uri", "AUTH_API_KEYS=ci:"+apiKey, "AUTH_BASIC_USERS=me:"+hashed(t, "pw"))
	p := start(t, m.environ...)
	named := m.Issue(t, x509.Certificate{URIs: certtest.URI(t, "spiffe://a/b")}).TLS(t)
	nameless := m.Issue(t, x509.Certificate{}).TLS(t)
	const key, wrongKey = "X-Api-Key: " + apiKey, "X-Api-Key: 0123456789abcdef0"
	me := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("me:pw"))
	secure, clear := "https://"+p.ofHTTPS(t), "http://"+p.addr
	for name, test := range map[string]struct {
		shows  []tls.Certificate
		url    string
		header []string
		status int
		as     string
	}{
		"a certificate":                  {[]tls.Certificate{named}, secure, nil, 200, "client_cert spiffe://a/b"},
		"a key":                          {nil, secure, []string{key}, 200, "api_key ci"},
		"a password":                     {nil, secure, []string{me}, 200, "basic me"},
		"a certificate and a key":        {[]tls.Certificate{named}, secure, []string{key}, 200, "api_key ci"},
		"a certificate and a password":   {[]tls.Certificate{named}, secure, []string{me}, 200, "basic me"},
		"a certificate and a wrong key":  {[]tls.Certificate{named}, secure, []string{wrongKey}, 401, ""},
		"a nameless one":                 {[]tls.Certificate{nameless}, secure, nil, 401, ""},
		"a nameless one and a right key": {[]tls.Certificate{nameless}, secure, []string{key}, 401, ""},
		"nothing":                        {nil, secure, nil, 401, ""},
		"in the clear":                   {nil, clear, nil, 401, ""},
		"in the clear, by a key":         {nil, clear, []string{key}, 200, "api_key ci"},
	} {
		status, echoed, err := ask(t, m.client(test.shows...), false, test.url+"/", test.header...)
		if as := strings.TrimSpace(echoed.Get("X-Auth-Method") + " " + echoed.Get("X-Auth-Principal")); status != test.status || as != test.as {
			t.Errorf("%s: status %d as %q, want %d as %q; %v", name, status, as, test.status, test.as, err)
		}
	}
	resp, _ := get(t, overTLS(t, m.client(), false), secure+"/")
	want := []string{`Basic realm="spangate", charset="UTF-8"`, `ApiKey realm="spangate", header="X-Api-Key"`, `ClientCertificate realm="spangate"`}
	if diff := cmp.Diff(want, resp.Header["Www-Authenticate"]); diff != "" {
		t.Errorf("challenges (-want +got):\n%s", diff)
	}
}

// What comes over a connection that has been resumed is from whom it was, until the
// authority is one no longer: then neither a session nor a connection lives on.
func TestClientCertificateAfterItsAuthority(t *testing.T) {
	t.Parallel()
	m, next := newMutual(t, "AUTH_CLIENT_CERT=cn", "TLS_RELOAD_INTERVAL=1ms"), certtest.New(t)
	p := start(t, m.environ...)
	certs := m.Issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "ann"}}).TLS(t)
	url := "https://" + p.addr + "/"
	type client struct {
		name   string
		config *tls.Config
		http2  bool
		kept   *http.Transport
	}
	var clients []client
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, http2 := range []bool{false, true} {
			config := m.client(certs)
			config.MaxVersion, config.ClientSessionCache = version, tls.NewLRUClientSessionCache(1)
			clients = append(clients, client{fmt.Sprint(tls.VersionName(version), ", http2=", http2), config, http2, overTLS(t, config.Clone(), http2)})
		}
	}
	for _, c := range clients {
		for _, resumed := range []bool{false, true} {
			transport := overTLS(t, c.config, c.http2)
			r, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			transport.CloseIdleConnections()
			if resp.StatusCode != 200 || resp.TLS.DidResume != resumed || !strings.Contains(string(body), `"ann"`) {
				t.Errorf("%s: resumed is %v, want %v; %s %s", c.name, resp.TLS.DidResume, resumed, resp.Status, body)
			}
		}
		if status, _, err := askOver(t, c.kept, url); status != 200 {
			t.Errorf("%s: status %d, %v", c.name, status, err)
		}
	}
	before, err := os.ReadFile(m.File)
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(next.File)
	if err != nil {
		t.Fatal(err)
	}
	swap(t, m.File, slices.Concat(before, after))
	p.await("certificate_reloaded")
	for _, c := range clients {
		if status, _, err := askOver(t, c.kept, url); status != 200 {
			t.Errorf("%s: with an authority more, status %d, %v", c.name, status, err)
		}
	}
	swap(t, m.File, after)
	for deadline := time.Now().Add(20 * time.Second); ; {
		if status, _, _ := askOver(t, clients[0].kept, url); status != 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the authority is one still")
		}
	}
	for _, c := range clients[1:] {
		if status, _, err := askOver(t, c.kept, url); status != http.StatusMisdirectedRequest {
			t.Errorf("%s: over the connection from before, status %d, %v", c.name, status, err)
		}
	}
	for _, line := range p.log.requests(t) {
		if line["status"] == 421. && line["reason"] != "certificate_withdrawn" {
			t.Errorf("the line of a request that was refused is %v", line)
		}
	}
	if len(p.log.named(t, "reason", "certificate_withdrawn")) == 0 {
		t.Error("no line says why requests were refused")
	}
	for _, c := range clients {
		if status, _, err := ask(t, c.config, c.http2, url); err == nil {
			t.Errorf("%s: over a new one, status %d", c.name, status)
		}
	}
}

// A door that is misspelled, or stands in no wall, stops the start.
func TestFaultsOfClientCertificates(t *testing.T) {
	t.Parallel()
	m := newMutual(t)
	for name, test := range map[string]struct{ environ, want []string }{
		"empty":      {m.with("AUTH_CLIENT_CERT="), []string{"AUTH_CLIENT_CERT: is set but empty, which must not open the door by mistake; leave it out if no certificates are to let in"}},
		"misspelled": {m.with("AUTH_CLIENT_CERT=san"), []string{`AUTH_CLIENT_CERT="san": must be san-uri, san-dns, cn or fingerprint`}},
		"alone":      {[]string{backends, "AUTH_CLIENT_CERT=cn"}, []string{"AUTH_CLIENT_CERT: is of no use without TLS_CLIENT_CA_FILE"}},
	} {
		if diff := cmp.Diff(test.want, lines(run(t.Context(), test.environ, io.Discard))); diff != "" {
			t.Errorf("%s: faults (-want +got):\n%s", name, diff)
		}
	}
}

// The span of a request over TLS has what was agreed on, and who the client is.
func TestSpanOverTLS(t *testing.T) {
	t.Parallel()
	m := newMutual(t, "TLS_CLIENT_AUTH=request")
	p := start(t, m.environ...)
	certs := m.Issue(t, x509.Certificate{Subject: pkix.Name{CommonName: "ann", Organization: []string{"A"}}}).TLS(t)
	sum := sha256.Sum256(certs.Leaf.Raw)
	old := m.client()
	old.MaxVersion, old.CurvePreferences, old.CipherSuites = tls.VersionTLS12, []tls.CurveID{tls.CurveP256}, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	for _, one := range []struct {
		client *tls.Config
		http2  bool
	}{{m.client(certs), true}, {old, false}} {
		if status, _, err := ask(t, one.client, one.http2, "https://"+p.addr+"/"); status != 200 {
			t.Errorf("status %d, %v", status, err)
		}
	}
	p.stop()
	got := map[string]map[string]any{}
	for _, span := range p.spans("SERVER") {
		attributes := map[string]any{}
		for name, value := range span.Attributes {
			if strings.Contains(name, "tls.") {
				attributes[name] = value
			}
		}
		got[fmt.Sprint(attributes["tls.protocol.version"])] = attributes
	}
	if cipher := fmt.Sprint(got["1.3"]["tls.cipher"]); !strings.HasPrefix(cipher, "TLS_AES_") && !strings.HasPrefix(cipher, "TLS_CHACHA20_") {
		t.Errorf("the cipher is %s", cipher)
	}
	delete(got["1.3"], "tls.cipher")
	want := map[string]map[string]any{
		"1.3": {
			"tls.protocol.version": "1.3", "tls.curve": "X25519MLKEM768", "tls.next_protocol": "h2", "tls.resumed": false,
			"spangate.tls.server_name": "localhost", "tls.client.subject": "CN=ann,O=A",
			"tls.client.hash.sha256": strings.ToUpper(hex.EncodeToString(sum[:])), "tls.client.not_after": certs.Leaf.NotAfter.Format(time.RFC3339),
		},
		"1.2": {
			"tls.protocol.version": "1.2", "tls.cipher": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "tls.curve": "secp256r1",
			"tls.resumed": false, "spangate.tls.server_name": "localhost",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	for _, line := range p.log.requests(t) {
		if want := map[any]any{"1.3": "CN=ann,O=A", "1.2": nil}; line["client_subject"] != want[line["tls"]] {
			t.Errorf("the log says %v", line)
		}
	}
}
