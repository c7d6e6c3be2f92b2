package pebble

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// By each challenge, with all that may stand in its way.
func TestIssues(t *testing.T) {
	t.Parallel()
	authorities, _ := selfSigned(t, t.TempDir())
	for name, test := range map[string]struct {
		alone bool // TLS alone on PORT
		env   []string
		names []string
	}{
		"HTTP-01":                       {names: []string{"a.test", "b.test"}},
		"HTTP-01 before doors":          {names: []string{"a.test"}, env: []string{"HTTPS_REDIRECT=on", "AUTH_API_KEYS=me:0123456789abcdef", "ALLOW_CIDRS=192.0.2.0/24", "MAX_HEADERS=1"}},
		"TLS-ALPN-01":                   {names: []string{"a.test"}, alone: true},
		"TLS-ALPN-01 before who is who": {names: []string{"a.test"}, alone: true, env: []string{"TLS_CLIENT_CA_FILE=" + authorities, "TLS_MIN_VERSION=1.3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t, settings{})
			env := test.env
			if test.alone {
				env = append(env, "TLS_PORT=", "PORT="+strconv.Itoa(a.tlsPort))
			}
			i := a.instance(t.TempDir(), strings.Join(test.names, ","), env...)
			for _, name := range test.names {
				i.says(1, "tls.certificate_issued", `"`+name+`"`)
			}
			if got := a.orders(); got != len(test.names) {
				t.Errorf("%d orders", got)
			}
			if i.said("tls.certificate_order_failed") > 0 {
				t.Error("something failed")
			}
			if test.env != nil {
				return
			}
			for _, name := range test.names {
				i.issues(a, name, nil)
				resp, text, err := i.get(a, name)
				if err != nil || resp.StatusCode != 200 || resp.ProtoMajor != 2 {
					t.Errorf("%v %v %s", resp, err, text)
				}
			}
		})
	}
}

// A connection that answers a challenge is good for nothing else: nobody was asked
// there who he is.
func TestChallengeCarriesNoRequests(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, settings{env: []string{"PEBBLE_VA_NOSLEEP=0", "PEBBLE_VA_SLEEPTIME=5"}})
	i := a.instance(t.TempDir(), "a.test", "TLS_PORT=", "PORT="+strconv.Itoa(a.tlsPort))
	for deadline := time.Now().Add(patience); ; {
		conn, err := tls.Dial("tcp", fmt.Sprint("127.0.0.1:", i.port), &tls.Config{ServerName: "a.test", InsecureSkipVerify: true, NextProtos: []string{"acme-tls/1"}})
		if err != nil { // the challenge is not there yet
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
			continue
		}
		defer conn.Close()
		if conn.ConnectionState().NegotiatedProtocol != "acme-tls/1" {
			t.Fatal("no challenge was answered")
		}
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
		conn.SetReadDeadline(time.Now().Add(patience))
		if text, _ := io.ReadAll(conn); len(text) > 0 {
			t.Errorf("it answers %q", text)
		}
		return
	}
}

// Killed and started again, without the authority: what there was is shown at once.
func TestRestart(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, settings{})
	dir := filepath.Join(t.TempDir(), "state")
	i := a.instance(dir, "a.test")
	first := i.issues(a, "a.test", nil)
	i.says(1, "tls.certificate_issued") // and kept
	i.kill()
	a.failing(func(w http.ResponseWriter, r *http.Request) bool { panic(http.ErrAbortHandler) })
	i = a.instance(dir, "a.test")
	again, err := i.shows("a.test", a.roots())
	if err != nil || !bytes.Equal(first.Raw, again.Raw) {
		t.Error("another certificate is shown:", err)
	}
	i.says(1, "tls.certificate_loaded")
	if got := a.orders(); got != 1 {
		t.Errorf("%d orders", got)
	}
}

// Killed amid an order, again and again: one certificate comes of it.
func TestKilledAmidOrder(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, settings{})
	dir := t.TempDir()
	for _, at := range []string{"chalZ", "finalize-order", "certZ"} {
		reached := make(chan struct{}, 100)
		a.failing(func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/"+at) {
				reached <- struct{}{}
				io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				return true
			}
			return false
		})
		i := a.instance(dir, "a.test")
		select {
		case <-reached:
		case <-time.After(patience):
			t.Fatal("it does not get to", at)
		}
		i.kill()
	}
	a.failing(nil)
	a.instance(dir, "a.test").issues(a, "a.test", nil)
	if got := a.orders(); got != 1 {
		t.Errorf("%d orders", got)
	}
}

// While a short certificate is renewed twice no handshake fails.
func TestRenews(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, settings{validity: 24})
	i := a.instance(t.TempDir(), "a.test")
	leaf := i.issues(a, "a.test", nil)
	var failed atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		roots := a.roots()
		for i.said("tls.certificate_issued") < 3 {
			if _, err := i.shows("a.test", roots); err != nil {
				t.Log(err)
				failed.Add(1)
			}
		}
	}()
	for range 2 {
		leaf = i.issues(a, "a.test", leaf)
	}
	<-done
	if failed.Load() > 0 {
		t.Errorf("%d handshakes failed", failed.Load())
	}
}

// Instances that share state order once, whichever of them the authority asks.
func TestInstances(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ alone, redis bool }{
		"directory": {}, "directory, TLS alone": {alone: true}, "Redis": {redis: true}, "Redis, TLS alone": {alone: true, redis: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t, settings{})
			dir, state := t.TempDir(), "TLS_ACME_REDIS_URL="
			if test.redis {
				dir, state = "", "TLS_ACME_REDIS_URL="+startRedis(t)
			}
			var all []*instance
			for n := range 3 {
				http, https := a.httpPort, a.tlsPort
				if n > 0 {
					http, https = freePort(), freePort()
				}
				env := []string{state, "PORT=" + strconv.Itoa(http), "TLS_PORT=" + strconv.Itoa(https)}
				if test.alone {
					env = []string{state, "PORT=" + strconv.Itoa(https), "TLS_PORT="}
				}
				all = append(all, a.instance(dir, "a.test", env...))
			}
			var leaves [][]byte
			for _, i := range all {
				leaves = append(leaves, i.issues(a, "a.test", nil).Raw)
			}
			if len(slices.CompactFunc(leaves, bytes.Equal)) != 1 || a.orders() != 1 {
				t.Errorf("%d orders", a.orders())
			}
		})
	}
}

// What an authority may do, from the first order on.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings settings
		env      []string
		fault    func(n int64, w http.ResponseWriter, r *http.Request) bool
		fails    string // of an order, before one succeeds
	}{
		"nonces refused": {settings: settings{env: []string{"PEBBLE_WFE_NONCEREJECT=50"}}},
		"slow":           {settings: settings{env: []string{"PEBBLE_VA_NOSLEEP=0", "PEBBLE_VA_SLEEPTIME=3"}}},
		"each third answer is a 503": {fault: func(n int64, w http.ResponseWriter, r *http.Request) bool {
			if n%3 == 0 {
				w.WriteHeader(503)
			}
			return n%3 == 0
		}},
		"cut off now and then": {fault: func(n int64, w http.ResponseWriter, r *http.Request) bool {
			if n%4 == 0 {
				panic(http.ErrAbortHandler)
			}
			return false
		}},
		"down at first": {fault: func(n int64, w http.ResponseWriter, r *http.Request) bool {
			if n <= 4 {
				panic(http.ErrAbortHandler)
			}
			return false
		}, fails: "EOF"},
		"too many orders": {fault: func(n int64, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/order-plz" || n > 8 {
				return false
			}
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(429)
			io.WriteString(w, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many","status":429}`)
			return true
		}, fails: "rateLimited"},
		"customers only": {
			settings: settings{extra: map[string]any{"externalAccountBindingRequired": true, "externalAccountMACKeys": map[string]string{"kid": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}}},
			env:      []string{"TLS_ACME_EAB_KEY_ID=kid", "TLS_ACME_EAB_HMAC_KEY=zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t, test.settings)
			if test.fault != nil {
				var n atomic.Int64
				a.failing(func(w http.ResponseWriter, r *http.Request) bool { return test.fault(n.Add(1), w, r) })
			}
			i := a.instance(t.TempDir(), "a.test", test.env...)
			if test.fails != "" {
				i.says(1, "tls.certificate_order_failed", test.fails)
				_, err := i.shows("a.test", nil)
				if err == nil {
					t.Error("a certificate is shown")
				}
				i.says(1, "handshake_failed", "certificate_not_issued", test.fails)
			}
			i.issues(a, "a.test", nil)
		})
	}
}

// When the authority fails as it is time to renew, the old certificate is shown,
// until there is a new one.
func TestAuthorityDownAtRenewal(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, settings{validity: 16})
	i := a.instance(t.TempDir(), "a.test")
	first := i.issues(a, "a.test", nil)
	a.failing(func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(500)
		return true
	})
	i.says(1, "tls.certificate_order_failed", "500", `"WARN"`)
	for time.Now().Before(first.NotAfter.Add(time.Second)) { // and after that, as there is nothing better
		leaf, err := i.shows("a.test", nil)
		if err != nil || !bytes.Equal(leaf.Raw, first.Raw) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	a.failing(nil)
	i.issues(a, "a.test", first)
}

// An authority that knows nothing of us any more, as a new one at the same address.
func TestAuthorityForgets(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, settings{validity: 24, down: true})
	pebble := a.start()
	i := a.instance(t.TempDir(), "a.test")
	first := i.issues(a, "a.test", nil)
	pebble.kill()
	a.start()
	i.issues(a, "a.test", first)
}

// Names and clients that there is nothing for.
func TestStrangers(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, settings{})
	i := a.instance(t.TempDir(), "a.test")
	first := i.issues(a, "a.test", nil)
	for _, name := range []string{"", "b.test", "127.0.0.1"} {
		if leaf, err := i.shows(name, nil); err != nil || !bytes.Equal(leaf.Raw, first.Raw) {
			t.Errorf("for %q: %v", name, err)
		}
	}
	conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", a.httpPort))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /.well-known/acme-challenge/backend-s-own HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
	if text, _ := io.ReadAll(conn); !strings.HasPrefix(string(text), "HTTP/1.1 200") || !strings.Contains(string(text), "backend-s-own") {
		t.Errorf("what is a backend's does not get there: %s", text)
	}
}
