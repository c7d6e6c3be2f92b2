package acme

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// authority is an ACME server that believes signatures, but not that a name is
// somebody's.
type authority struct {
	*httptest.Server
	t    testing.TB
	name string // its own in this process

	mu       sync.Mutex
	client   *Client // is asked to prove names; nil: all names are believed
	offers   []string
	life     time.Duration // of certificates
	backdate time.Duration
	window   [2]time.Time // of renewal information; zero: not offered
	accounts map[string]bool
	bindings int
	orders   []*order
	// answer, if not nil, may answer a request in the authority's place.
	answer func(w http.ResponseWriter, r *http.Request, count int) bool
	counts map[string]int

	key *ecdsa.PrivateKey
	ca  *x509.Certificate
}

type order struct {
	name, status, replaces, profile string
	authorization                   string // its status
	failed                          string // why
	chain                           []byte
}

func newAuthority(t testing.TB) *authority {
	a := &authority{
		t: t, name: rand.Text(), offers: []string{"http-01", "tls-alpn-01", "dns-01"}, life: time.Hour,
		accounts: map[string]bool{}, counts: map[string]int{},
	}
	var err error
	if a.key, err = newKey(); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, SubjectKeyId: []byte{1, 2, 3},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.ca, _ = x509.ParseCertificate(der)
	a.Server = httptest.NewTLSServer(a)
	t.Cleanup(a.Close)
	return a
}

// config is that of a client of a.
func (a *authority) config(names ...Name) Config {
	a.t.Helper()
	file := filepath.Join(a.t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	// The library keeps directories by their address for the whole process, and a
	// port is another authority's after this one.
	directory := DirectoryURL(a.URL + "/directory/" + a.name)
	return Config{Domains: names, CA: directory, CAFile: file, Dir: a.t.TempDir(), RetryAfter: 10 * time.Millisecond}
}

// count returns how often something was asked for.
func (a *authority) count(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counts[path]
}

func (a *authority) set(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

func problem(w http.ResponseWriter, status int, kind string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"urn:ietf:params:acme:error:%s","detail":"this is a test","status":%d}`, kind, status)
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	a.mu.Lock()
	a.counts[parts[0]]++
	count, answer := a.counts[parts[0]], a.answer
	a.mu.Unlock()
	w.Header().Set("Replay-Nonce", rand.Text())
	if answer != nil && answer(w, r, count) {
		return
	}
	body, _ := io.ReadAll(r.Body)
	var signed struct{ Protected, Payload string }
	json.Unmarshal(body, &signed)
	protected, _ := base64.RawURLEncoding.DecodeString(signed.Protected)
	payload, _ := base64.RawURLEncoding.DecodeString(signed.Payload)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch parts[0] {
	case "directory":
		directory := map[string]string{"newNonce": a.URL + "/nonce", "newAccount": a.URL + "/account", "newOrder": a.URL + "/neworder"}
		if !a.window[0].IsZero() {
			directory["renewalInfo"] = a.URL + "/renewal"
		}
		reply(w, http.StatusOK, directory)
	case "nonce":
	case "renewal":
		w.Header().Set("Retry-After", "3600")
		reply(w, http.StatusOK, map[string]any{"suggestedWindow": map[string]time.Time{"start": a.window[0], "end": a.window[1]}})
	case "account":
		a.serveAccount(w, protected, payload)
	case "neworder":
		a.serveNewOrder(w, protected, payload)
	default:
		a.serveOrder(w, parts, payload)
	}
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}

func (a *authority) serveAccount(w http.ResponseWriter, protected, payload []byte) {
	var header struct{ JWK json.RawMessage }
	json.Unmarshal(protected, &header)
	var asked struct {
		OnlyReturnExisting     bool
		ExternalAccountBinding json.RawMessage
	}
	json.Unmarshal(payload, &asked)
	who := base64.RawURLEncoding.EncodeToString(header.JWK)
	if !a.accounts[who] && asked.OnlyReturnExisting {
		problem(w, http.StatusBadRequest, "accountDoesNotExist")
		return
	}
	if !a.accounts[who] && asked.ExternalAccountBinding != nil {
		a.bindings++
	}
	a.accounts[who] = true
	w.Header().Set("Location", a.URL+"/account/"+who)
	reply(w, http.StatusOK, map[string]string{"status": "valid"})
}

func (a *authority) serveNewOrder(w http.ResponseWriter, protected, payload []byte) {
	var header struct{ Kid string }
	json.Unmarshal(protected, &header)
	if _, who, _ := strings.Cut(header.Kid, "/account/"); !a.accounts[who] {
		problem(w, http.StatusBadRequest, "accountDoesNotExist")
		return
	}
	var asked struct {
		Identifiers       []struct{ Value string }
		Replaces, Profile string
	}
	json.Unmarshal(payload, &asked)
	o := &order{name: asked.Identifiers[0].Value, status: "pending", authorization: "pending", replaces: asked.Replaces, profile: asked.Profile}
	a.orders = append(a.orders, o)
	w.Header().Set("Location", fmt.Sprintf("%s/order/%d", a.URL, len(a.orders)-1))
	reply(w, http.StatusCreated, a.describe(len(a.orders)-1))
}

func (a *authority) describe(i int) map[string]any {
	o := a.orders[i]
	return map[string]any{
		"status": o.status, "identifiers": []map[string]string{{"type": "dns", "value": o.name}},
		"authorizations": []string{fmt.Sprintf("%s/authorization/%d", a.URL, i)},
		"finalize":       fmt.Sprintf("%s/finalize/%d", a.URL, i), "certificate": fmt.Sprintf("%s/certificate/%d", a.URL, i),
	}
}

func (a *authority) serveOrder(w http.ResponseWriter, parts []string, payload []byte) {
	i := 0
	fmt.Sscan(parts[1], &i)
	o := a.orders[i]
	switch parts[0] {
	case "order":
		reply(w, http.StatusOK, a.describe(i))
	case "authorization":
		var offered []any
		for _, kind := range a.offers {
			c := map[string]any{"type": kind, "status": o.authorization, "token": fmt.Sprintf("token-%d", i), "url": fmt.Sprintf("%s/challenge/%d/%s", a.URL, i, kind)}
			if o.authorization == "invalid" {
				c["error"] = map[string]any{"type": "urn:ietf:params:acme:error:connection", "detail": o.failed, "status": 400}
			}
			offered = append(offered, c)
		}
		reply(w, http.StatusOK, map[string]any{"status": o.authorization, "identifier": map[string]string{"type": "dns", "value": o.name}, "challenges": offered})
	case "challenge":
		if err := a.validate(o, parts[2], fmt.Sprintf("token-%d", i)); err != nil {
			o.status, o.authorization, o.failed = "invalid", "invalid", err.Error()
		} else {
			o.status, o.authorization = "ready", "valid"
		}
		reply(w, http.StatusOK, map[string]string{"status": "processing"})
	case "finalize":
		var asked struct{ CSR string }
		json.Unmarshal(payload, &asked)
		o.chain = a.issue(asked.CSR)
		o.status = "valid"
		reply(w, http.StatusOK, a.describe(i))
	case "certificate":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		w.Write(o.chain)
	}
}

// validate looks whether a.client answers the challenge.
func (a *authority) validate(o *order, kind, token string) error {
	if a.client == nil {
		return nil
	}
	if kind == "http-01" {
		w := httptest.NewRecorder()
		a.client.Challenges(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "http://"+o.name+"/.well-known/acme-challenge/"+token, nil))
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), token+".") {
			return fmt.Errorf("it says %d %q", w.Code, w.Body)
		}
		return nil
	}
	return handshakeWith(a.client, o.name)
}

// handshakeWith does as an authority that validates by TLS-ALPN-01.
func handshakeWith(c *Client, name string) error {
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		tls.Server(there, &tls.Config{GetCertificate: c.For, NextProtos: []string{"h2"}, GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			return c.Challenge(hello), nil
		}}).HandshakeContext(context.Background())
		there.Close()
	}()
	conn := tls.Client(here, &tls.Config{ServerName: name, NextProtos: []string{Protocol}, InsecureSkipVerify: true})
	if err := conn.Handshake(); err != nil {
		return err
	}
	state := conn.ConnectionState()
	for _, extension := range state.PeerCertificates[0].Extensions {
		if extension.Id.Equal(validation) && extension.Critical && state.NegotiatedProtocol == Protocol {
			return nil
		}
	}
	return fmt.Errorf("%s and a certificate without the extension", state.NegotiatedProtocol)
}

// issue returns the chain for what a request asks for.
func (a *authority) issue(request string) []byte {
	der, _ := base64.RawURLEncoding.DecodeString(request)
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		a.t.Error(err)
		return nil
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	from := time.Now().Add(-a.backdate)
	leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, DNSNames: csr.DNSNames, NotBefore: from, NotAfter: from.Add(a.life), AuthorityKeyId: a.ca.SubjectKeyId,
	}, a.ca, csr.PublicKey, a.key)
	if err != nil {
		a.t.Error(err)
	}
	var chain bytes.Buffer
	for _, der := range [][]byte{leaf, a.ca.Raw} {
		pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	return chain.Bytes()
}
