package acme

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"spangate/handler/clock"
)

// challenge is what an authority may ask of us now, and what to answer.
type challenge struct {
	Token  string    `json:"token"`
	Answer string    `json:"answer"` // the key authorization
	Until  time.Time `json:"until"`  // it means nothing afterwards

	once        sync.Once
	certificate *tls.Certificate
}

// freshness is how long an instance goes by what it last saw in the store of a
// challenge. Whoever puts one there gives the others that much time.
const freshness = time.Second / 4

// desk is where the challenge of a name lies.
type desk struct {
	own chan struct{} // holds one while somebody looks
	mu  sync.Mutex
	// What this instance put there; nil: nothing.
	presented *challenge
	// What was found in the store, and when looking for it began.
	found  *challenge
	looked time.Time
}

// present has all instances answer a challenge, until withdraw.
func (c *Client) present(ctx context.Context, e *entry, asked acme.Challenge) error {
	p := &challenge{Token: asked.Token, Answer: asked.KeyAuthorization, Until: time.Now().Add(orderTimeout)}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := c.store.Put(ctx, key(challenges, e.name), text); err != nil {
		return storeError{err}
	}
	e.desk.mu.Lock()
	e.desk.presented = p
	e.desk.mu.Unlock()
	return clock.Sleep(ctx, freshness)
}

func (c *Client) withdraw(ctx context.Context, e *entry) {
	e.desk.mu.Lock()
	e.desk.presented = nil
	e.desk.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	c.store.Delete(ctx, key(challenges, e.name)) // what stays means nothing after a while
}

// pending returns the challenge that is under way for a name, at this or another
// instance; nil: none. However many ask, the store is looked into four times a second.
func (c *Client) pending(ctx context.Context, e *entry) *challenge {
	d := &e.desk
	d.mu.Lock()
	presented := d.presented
	d.mu.Unlock()
	if presented != nil {
		return presented
	}
	select {
	case d.own <- struct{}{}:
		defer func() { <-d.own }()
	case <-ctx.Done():
		return nil
	}
	if time.Since(d.looked) < freshness {
		return d.found
	}
	d.looked, d.found = time.Now(), nil
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	text, err := c.store.Get(ctx, key(challenges, e.name))
	p := &challenge{}
	if err == nil && json.Unmarshal(text, p) == nil && time.Now().Before(p.Until) {
		d.found = p
	}
	return d.found
}

// storeTimeout bounds a look into the store for which a client waits.
const storeTimeout = 2 * time.Second

// Challenges answers HTTP-01 challenges (RFC 8555, section 8.3) before next. What
// asks for others, as a backend that has an ACME client of its own may be asked,
// it leaves to next. It belongs before everything that may refuse or redirect, for
// http as for https: an authority follows redirects.
func (c *Client) Challenges(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, is := strings.CutPrefix(r.URL.Path, "/.well-known/acme-challenge/")
		if !is || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		e := c.names[named(host)]
		if e == nil {
			next.ServeHTTP(w, r)
			return
		}
		p := c.pending(r.Context(), e)
		if p == nil || p.Token != token {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, p.Answer)
	})
}

// Protocol is what ALPN calls a handshake that answers a TLS-ALPN-01 challenge. A
// connection with it carries nothing else: it must be closed once the handshake is
// done, whatever the client sends, as nothing was asked of the client.
const Protocol = "acme-tls/1"

// Challenge returns the configuration for a handshake that answers a TLS-ALPN-01
// challenge (RFC 8737), and nil for any other handshake.
func (c *Client) Challenge(hello *tls.ClientHelloInfo) *tls.Config {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != Protocol {
		return nil
	}
	e := c.names[named(hello.ServerName)]
	if e == nil {
		return nil
	}
	p := c.pending(hello.Context(), e)
	if p == nil {
		return nil
	}
	p.once.Do(func() { p.certificate = p.prove(e.name) })
	if p.certificate == nil {
		return nil
	}
	return &tls.Config{
		Certificates: []tls.Certificate{*p.certificate}, NextProtos: []string{Protocol},
		MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true,
	}
}

// validation is the extension that carries the answer (RFC 8737, section 6.1).
var validation = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}

// prove returns the certificate that answers the challenge; nil if there is no
// randomness to make it of.
func (p *challenge) prove(name Name) *tls.Certificate {
	private, err := newKey()
	if err != nil {
		return nil
	}
	sum := sha256.Sum256([]byte(p.Answer))
	value, err := asn1.Marshal(sum[:])
	if err != nil {
		return nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ACME challenge"}, DNSNames: []string{string(name)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		ExtraExtensions: []pkix.Extension{{Id: validation, Critical: true, Value: value}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}
