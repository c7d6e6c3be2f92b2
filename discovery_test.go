package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"spangate/balancer/dnstest"
)

// TestBackendsThatDNSNames checks what the program makes of a name whose
// addresses change while it runs.
func TestBackendsThatDNSNames(t *testing.T) {
	t.Parallel()
	dns := dnstest.NewServer(t)
	begin := func(t *testing.T, name string, port int, environ ...string) *program {
		return startLimited(t, "true", append(environ, nameServer+"="+dns.Addr, fmt.Sprintf("BACKENDS=dns+http://%s:%d", name, port),
			"BALANCER_DNS_REFRESH=1s", "ACCESS_LOG=off")...)
	}
	servfail := dnstest.Reply{Code: dnsmessage.RCodeServerFailure}

	t.Run("members come and go", func(t *testing.T) {
		t.Parallel()
		hosts := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}
		var asked [3]atomic.Int64
		var probed [3]chan struct{}
		release := make(chan struct{})
		listeners := alike(t, hosts...)
		for i, ln := range listeners {
			probed[i] = make(chan struct{})
			once := sync.OnceFunc(func() { close(probed[i]) })
			answering(t, ln, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("From", hosts[i])
				switch r.URL.Path {
				case "/healthz":
					once()
				case "/long":
					io.WriteString(w, "first, ")
					w.(http.Flusher).Flush()
					if i == 0 {
						select {
						case <-release:
						case <-r.Context().Done():
						}
					}
					io.WriteString(w, "last")
				default:
					asked[i].Add(1)
				}
			})
		}
		dns.Update(dnstest.Zone{"go.test. A": dnstest.Addresses(hosts[0], hosts[1])})
		p := begin(t, "go.test.", listeners[0].Addr().(*net.TCPAddr).Port, "PROBE_PATH=/healthz", "PROBE_INTERVAL=10ms")
		p.await(`"joined":2`)
		<-probed[0]
		<-probed[1]

		var long *http.Response // from the one that is about to leave
		for long == nil || long.Header.Get("From") != hosts[0] {
			if long != nil {
				long.Body.Close()
			}
			var err error
			if long, err = p.send(t.Context(), "GET", "/long", nil); err != nil {
				t.Fatal(err)
			}
		}
		defer long.Body.Close()
		var traffic sync.WaitGroup
		var enough atomic.Bool
		for range 2 {
			traffic.Go(func() {
				transport := &http.Transport{}
				defer transport.CloseIdleConnections()
				for !enough.Load() {
					if status := p.statusOver(t, transport, "GET"); status != http.StatusOK {
						t.Errorf("status %d amid the change", status)
						return
					}
				}
			})
		}
		dns.Update(dnstest.Zone{"go.test. A": dnstest.Addresses(hosts[1], hosts[2])})
		p.await(`"joined":1,"left":1`)
		enough.Store(true)
		traffic.Wait()

		before := asked[0].Load()
		var from []string
		for range 6 {
			resp, _ := p.ask(t, "GET", "/", nil)
			from = append(from, resp.Header.Get("From"))
		}
		slices.Sort(from)
		if diff := cmp.Diff(hosts[1:], slices.Compact(from)); diff != "" {
			t.Errorf("answered by (-want +got):\n%s", diff)
		}
		if before == 0 || asked[0].Load() != before {
			t.Errorf("the member that left got %d requests before, %d since", before, asked[0].Load()-before)
		}
		<-probed[2]
		close(release)
		if body, err := io.ReadAll(long.Body); err != nil || string(body) != "first, last" {
			t.Errorf("the response of the member that left is %q, %v", body, err)
		}
	})

	t.Run("a lookup that fails", func(t *testing.T) {
		t.Parallel()
		ln := alike(t, "127.0.0.1")[0]
		answering(t, ln, func(http.ResponseWriter, *http.Request) {})
		dns.Update(dnstest.Zone{"fail.test. A": dnstest.Addresses("127.0.0.1")})
		p := begin(t, "fail.test.", ln.Addr().(*net.TCPAddr).Port)
		p.await(`"joined":1`)
		dns.Update(dnstest.Zone{"fail.test. A": servfail, "fail.test. AAAA": servfail})
		p.await("could not be looked up")
		if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("status %d of a name that was known before", resp.StatusCode)
		}
	})

	t.Run("a name that is there late", func(t *testing.T) {
		t.Parallel()
		ln := alike(t, "127.0.0.1")[0]
		answering(t, ln, func(http.ResponseWriter, *http.Request) {})
		p := begin(t, "late.test.", ln.Addr().(*net.TCPAddr).Port)
		p.await("could not be looked up")
		if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("status %d, Retry-After %q of a name that nobody knows", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		dns.Update(dnstest.Zone{"late.test. A": dnstest.Addresses("127.0.0.1")})
		p.await(`"joined":1`)
		if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("status %d of a name that is known by now", resp.StatusCode)
		}
	})

	t.Run("IPv6 only", func(t *testing.T) {
		t.Parallel()
		ln := alike(t, "::1")[0]
		answering(t, ln, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
		})
		dns.Update(dnstest.Zone{"six.test. AAAA": dnstest.Addresses("::1")})
		p := begin(t, "six.test.", ln.Addr().(*net.TCPAddr).Port)
		p.await(`"joined":1`)
		if resp, body := p.ask(t, "GET", "/", nil); resp.StatusCode != http.StatusOK || body != ln.Addr().String() {
			t.Errorf("status %d, answered by %q, want %s", resp.StatusCode, body, ln.Addr())
		}
	})
}

// answering serves on ln until the test ends.
func answering(t *testing.T, ln net.Listener, handle http.HandlerFunc) {
	server := httptest.NewUnstartedServer(handle)
	server.Listener.Close()
	server.Listener = ln
	server.Start()
	t.Cleanup(server.Close)
}
