package balancer_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"spangate/balancer"
	"spangate/balancer/dnstest"
	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
	"spangate/probe"
)

type zone = dnstest.Zone

func addresses(addrs ...string) dnstest.Reply { return dnstest.Addresses(addrs...) }

// discovery returns the one of a member, which is as in BACKENDS.
func discovery(t testing.TB, cfg balancer.Config, member string, resolver balancer.Resolver) *balancer.Discovery {
	t.Helper()
	return discoveryTold(t, cfg, balancer.Hooks{}, member, resolver)
}

func discoveryTold(t testing.TB, cfg balancer.Config, hooks balancer.Hooks, member string, resolver balancer.Resolver) *balancer.Discovery {
	t.Helper()
	if err := cfg.Backends.UnmarshalText([]byte(member)); err != nil {
		t.Fatal(err)
	}
	pool, err := balancer.New(cfg, probe.Config{}, hooks)
	if err != nil {
		t.Fatal(err)
	}
	discoveries := balancer.Discoveries(pool, resolver)
	if len(discoveries) != 1 {
		t.Fatalf("%d discoveries", len(discoveries))
	}
	return discoveries[0]
}

// running runs d until the test ends and returns its updates.
func running(t *testing.T, d *balancer.Discovery) <-chan balancer.Discovered {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	updates, ended := make(chan balancer.Discovered), make(chan struct{})
	go func() {
		defer close(ended)
		d.Run(ctx, func(change balancer.Discovered) {
			select {
			case updates <- change:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return updates
}

// seen is what a test says of an update.
type seen struct {
	Now, Joined, Left string // addresses, with the weight where it is not 1
	Err               string // part of it
}

func seenIn(change balancer.Discovered) seen {
	s := seen{Now: listed(change.Backends), Joined: listed(change.Joined), Left: listed(change.Left)}
	if change.Err != nil {
		s.Err = change.Err.Error()
	}
	return s
}

func listed(backends []*balancer.Backend) string {
	var words []string
	for _, b := range backends {
		word := b.Address
		if b.Weight != 1 {
			word += "*" + strconv.Itoa(b.Weight)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// quick is refreshed so often that a test need not wait.
var quick = balancer.Config{DNSRefresh: 10 * time.Millisecond}

func TestDiscoveryFollowsDNS(t *testing.T) {
	const a, aaaa, service = "app.test. A", "app.test. AAAA", "_http._tcp.app.test. SRV"
	servfail := dnstest.Reply{Code: dnsmessage.RCodeServerFailure}
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("10.0.%d.%d", i/256, i%256))
	}
	type step struct {
		zone zone
		want seen // zero: nothing is told
	}
	tests := []struct {
		name, member string
		steps        []step
	}{
		{"members come and go", "dns+http://app.test.:80", []step{
			{zone{a: addresses("10.0.0.1", "10.0.0.2")}, seen{Now: "10.0.0.1:80 10.0.0.2:80", Joined: "10.0.0.1:80 10.0.0.2:80"}},
			{zone{a: addresses("10.0.0.2", "10.0.0.1")}, seen{}},
			{zone{a: addresses("10.0.0.3", "10.0.0.2")}, seen{Now: "10.0.0.2:80 10.0.0.3:80", Joined: "10.0.0.3:80", Left: "10.0.0.1:80"}},
		}},
		{"options are each member's", "dns+http://app.test.:80;weight=3", []step{
			{zone{a: addresses("10.0.0.1", "10.0.0.2")}, seen{Now: "10.0.0.1:80*3 10.0.0.2:80*3", Joined: "10.0.0.1:80*3 10.0.0.2:80*3"}},
		}},
		{"a port that is not written is the scheme's", "dns+https://app.test.", []step{
			{zone{a: addresses("10.0.0.1")}, seen{Now: "10.0.0.1:443", Joined: "10.0.0.1:443"}},
		}},
		{"IPv6 only", "dns+h2c://app.test.:80", []step{
			{zone{aaaa: addresses("fd00::2", "fd00::1")}, seen{Now: "[fd00::1]:80 [fd00::2]:80", Joined: "[fd00::1]:80 [fd00::2]:80"}},
		}},
		{"both families", "dns+http://app.test.:80", []step{
			{zone{a: addresses("10.0.0.1"), aaaa: addresses("fd00::1")}, seen{Now: "10.0.0.1:80 [fd00::1]:80", Joined: "10.0.0.1:80 [fd00::1]:80"}},
			{zone{a: addresses("10.0.0.1")}, seen{Now: "10.0.0.1:80", Left: "[fd00::1]:80"}},
		}},
		{"one family's lookup fails", "dns+http://app.test.:80", []step{
			{zone{a: addresses("10.0.0.1"), aaaa: addresses("fd00::1")}, seen{Now: "10.0.0.1:80 [fd00::1]:80", Joined: "10.0.0.1:80 [fd00::1]:80"}},
			{zone{a: addresses("10.0.0.2"), aaaa: servfail}, seen{Now: "10.0.0.2:80 [fd00::1]:80", Joined: "10.0.0.2:80", Left: "10.0.0.1:80", Err: "server misbehaving"}},
			{zone{a: addresses("10.0.0.2"), aaaa: addresses("fd00::1")}, seen{Now: "10.0.0.2:80 [fd00::1]:80"}},
		}},
		{"what cannot be dialled", "dns+http://app.test.:80", []step{
			{zone{a: addresses("0.0.0.0", "224.0.0.1", "255.255.255.255"), aaaa: addresses("::", "ff02::1", "::ffff:0.0.0.0")}, seen{Err: "none of"}},
			{zone{a: addresses("10.0.0.1", "10.0.0.1", "224.0.0.1"), aaaa: addresses("::ffff:10.0.0.1")}, seen{Now: "10.0.0.1:80", Joined: "10.0.0.1:80"}},
		}},
		{"no such name, then one, then none again", "dns+http://app.test.:80", []step{
			{nil, seen{Err: "no such host"}},
			{nil, seen{}},
			{zone{a: addresses("10.0.0.1")}, seen{Now: "10.0.0.1:80", Joined: "10.0.0.1:80"}},
			{nil, seen{Now: "10.0.0.1:80", Err: "no such host"}},
			{zone{a: servfail, aaaa: servfail}, seen{}},
			{zone{a: addresses()}, seen{}},
			{zone{a: addresses("10.0.0.1")}, seen{Now: "10.0.0.1:80"}},
		}},
		{"no answer", "dns+http://app.test.:80", []step{
			{zone{a: addresses("10.0.0.1")}, seen{Now: "10.0.0.1:80", Joined: "10.0.0.1:80"}},
			{zone{a: {Silent: true}, aaaa: {Silent: true}}, seen{Now: "10.0.0.1:80", Err: "i/o timeout"}},
			{zone{a: addresses("10.0.0.2")}, seen{Now: "10.0.0.2:80", Joined: "10.0.0.2:80", Left: "10.0.0.1:80"}},
		}},
		{"cut short over UDP", "dns+http://app.test.:80", []step{
			{zone{a: {Addrs: []string{"10.0.0.1"}, Cut: true}}, seen{Now: "10.0.0.1:80", Joined: "10.0.0.1:80"}},
		}},
		{"too many", "dns+http://app.test.:80", []step{
			{zone{a: addresses("10.9.9.9")}, seen{Now: "10.9.9.9:80", Joined: "10.9.9.9:80"}},
			{zone{a: addresses(append(many, "10.9.9.9")...)}, seen{Now: "256 addresses", Joined: "255 addresses", Err: "of 301 backends, 256 are used"}},
			{zone{a: addresses(append([]string{"10.9.9.9"}, many...)...)}, seen{}},
			{zone{a: addresses("10.9.9.9")}, seen{Now: "10.9.9.9:80", Left: "255 addresses"}},
		}},
		{"services", "dns+srv://_http._tcp.app.test.;weight=2", []step{
			{zone{service: {SRV: []net.SRV{
				{Target: "a.test.", Port: 8080, Weight: 30, Priority: 1}, {Target: "A.test.", Port: 8081, Weight: 10, Priority: 1},
				{Target: "standby.test.", Port: 80, Weight: 1, Priority: 2},
			}}}, seen{Now: "a.test.:8080*6 a.test.:8081*2", Joined: "a.test.:8080*6 a.test.:8081*2"}},
			{zone{service: {SRV: []net.SRV{{Target: "a.test.", Port: 8081, Weight: 33}, {Target: "a.test.", Port: 8080, Weight: 99}}}}, seen{}},
			{zone{service: {SRV: []net.SRV{{Target: ".", Port: 1}}}}, seen{Now: "a.test.:8080*6 a.test.:8081*2", Err: "none of"}},
			{zone{service: {SRV: []net.SRV{{Target: "standby.test.", Port: 80, Priority: 2}, {Target: ".", Port: 1}, {Target: "x.test."}}}},
				seen{Now: "standby.test.:80*2", Joined: "standby.test.:80*2", Left: "a.test.:8080*6 a.test.:8081*2"}},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := dnstest.NewServer(t)
			server.Set(test.steps[0].zone)
			updates := running(t, discovery(t, quick, test.member, server.Resolver()))
			for i, step := range test.steps {
				server.Set(step.zone)
				var got seen
				if step.want == (seen{}) {
					// Two lookups of this zone, each of at most two questions, are over
					// once a fifth question is asked.
					for questions := 0; questions <= 6 && got == (seen{}); {
						select {
						case <-server.Asked:
							questions++
						case change := <-updates:
							got = seenIn(change)
						}
					}
				} else {
					got = seenIn(<-updates)
				}
				for _, text := range []*string{&got.Now, &got.Joined, &got.Left} {
					if n := len(strings.Fields(*text)); n > 10 {
						*text = fmt.Sprint(n, " addresses")
					}
				}
				if step.want.Err != "" && strings.Contains(got.Err, step.want.Err) {
					got.Err = step.want.Err
				}
				if diff := cmp.Diff(step.want, got); diff != "" {
					t.Fatalf("step %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

func TestDiscoveredBackendsThatStayAreTheSame(t *testing.T) {
	server := dnstest.NewServer(t)
	server.Set(zone{"app.test. A": addresses("10.0.0.1", "10.0.0.2")})
	updates := running(t, discovery(t, quick, "dns+http://app.test.:80", server.Resolver()))
	first := <-updates
	server.Set(zone{"app.test. A": addresses("10.0.0.3", "10.0.0.2")})
	second := <-updates
	if first.Backends[1] != second.Backends[0] {
		t.Error("10.0.0.2 stays, but is another backend")
	}
	if len(second.Left) != 1 || second.Left[0] != first.Backends[0] {
		t.Errorf("%s left, want the backend that 10.0.0.1 was", listed(second.Left))
	}
	for _, b := range second.Backends {
		if b.Name != "dns+http://app.test.:80" {
			t.Errorf("%s is named %s, want the member's name", b.Address, b.Name)
		}
	}
}

// echoing answers with what it was asked as: Host and server name.
func echoing(w http.ResponseWriter, r *http.Request) {
	name := ""
	if r.TLS != nil {
		name = r.TLS.ServerName
	}
	fmt.Fprintf(w, "%s %s %s", r.Host, name, r.URL.Path)
}

func portOf(s *httptest.Server) (string, uint16) {
	port := netip.MustParseAddrPort(s.Listener.Addr().String()).Port()
	return strconv.Itoa(int(port)), port
}

func TestDiscoveredBackendsAreDialledByAddressAndAskedByName(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(echoing))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(echoing)) // with a certificate for example.com
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)              // of handshakes that are meant to fail
	secure.StartTLS()
	defer secure.Close()
	cfg := balancer.Config{TransportConfig: wire.TransportConfig{ConnectTimeout: time.Minute}, Host: balancer.HostAuto, CAFile: wiretest.CertificateFile(t, secure)}
	plainPort, plainNumber := portOf(plain)
	securePort, secureNumber := portOf(secure)
	server := dnstest.NewServer(t)
	server.Set(zone{
		"example.com. A":           addresses("127.0.0.1"),
		"other.test. A":            addresses("127.0.0.1"),
		"_http._tcp.app.test. SRV": {SRV: []net.SRV{{Target: "localhost.", Port: plainNumber}}},
		"_x._tcp.example.com. SRV": {SRV: []net.SRV{{Target: "localhost.", Port: secureNumber}}},
		"_x._tcp.other.test. SRV":  {SRV: []net.SRV{{Target: "localhost.", Port: secureNumber}}},
	})
	tests := []struct {
		name, member, want string
		err                fault.Type
	}{
		{"the client's Host", "dns+http://other.test.:" + plainPort + "/base", "example.com  /base/path", ""},
		{"its own Host", "dns+http://other.test.:" + plainPort + ";host=backend", "other.test:" + plainPort + "  /path", ""},
		{"TLS", "dns+https://example.com.:" + securePort, "example.com:" + securePort + " example.com /path", ""},
		{"TLS, not its certificate", "dns+https://other.test.:" + securePort, "", fault.TLSHandshakeError},
		{"a service", "dns+srv://_http._tcp.app.test.;host=backend", "app.test  /path", ""},
		{"a service over TLS", "dns+srv+https://_x._tcp.example.com.", "example.com example.com /path", ""},
		{"a service over TLS, not its certificate", "dns+srv+https://_x._tcp.other.test.", "", fault.TLSHandshakeError},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			change := <-running(t, discovery(t, cfg, test.member, server.Resolver()))
			if len(change.Backends) != 1 {
				t.Fatalf("%d backends, %v", len(change.Backends), change.Err)
			}
			resp, err := change.Backends[0].RoundTrip(get())
			if err != nil {
				if e := fault.Of(t.Context(), err); e.Type != test.err {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if diff := cmp.Diff(test.want, string(body)); diff != "" || test.err != "" {
				t.Errorf("want error %q (-want +got):\n%s", test.err, diff)
			}
		})
	}
}

func TestConnectionsOfBackendsThatLeftAreClosed(t *testing.T) {
	release := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-release
	})
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	cfg := balancer.Config{TransportConfig: wire.TransportConfig{ConnectTimeout: time.Minute}, DNSRefresh: quick.DNSRefresh, CAFile: wiretest.CertificateFile(t, secure)}

	server := dnstest.NewServer(t)
	server.Set(zone{"example.com. A": addresses("127.0.0.1")})
	backends, bodies, ended := map[string]*balancer.Backend{}, map[string]io.ReadCloser{}, make(chan string)
	updates := map[string]<-chan balancer.Discovered{}
	for scheme, target := range map[string]*httptest.Server{"http": plain, "https": secure} {
		port, _ := portOf(target)
		hooks := balancer.Hooks{Connections: func(*balancer.Backend) wire.ConnectionHooks {
			return wire.ConnectionHooks{Ended: func(time.Duration) { ended <- scheme }}
		}}
		updates[scheme] = running(t, discoveryTold(t, cfg, hooks, "dns+"+scheme+"://example.com.:"+port, server.Resolver()))
		b := (<-updates[scheme]).Backends[0]
		resp, err := b.RoundTrip(get())
		if err != nil {
			t.Fatal(err)
		}
		backends[scheme], bodies[scheme] = b, resp.Body
	}
	server.Set(zone{"example.com. A": addresses("127.0.0.9")})
	for scheme, b := range backends {
		if change := <-updates[scheme]; len(change.Left) != 1 || change.Left[0] != b {
			t.Fatalf("%s: %s left", scheme, listed(change.Left))
		}
		if open := b.OpenConnections(); open != 1 {
			t.Errorf("%s: %d connections open amid a response, want 1", scheme, open)
		}
	}
	close(release)
	for scheme, body := range bodies {
		if _, err := io.Copy(io.Discard, body); err != nil {
			t.Errorf("%s: the response of a backend that left breaks off: %v", scheme, err)
		}
		body.Close()
	}
	got := []string{<-ended, <-ended}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"http", "https"}, got); diff != "" {
		t.Errorf("connections closed (-want +got):\n%s", diff)
	}
}

// resolver answers from functions.
type resolver struct {
	addrs func(ctx context.Context) ([]netip.Addr, error)
	srv   func() ([]*net.SRV, error)
}

func (r resolver) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	return r.addrs(ctx)
}

func (r resolver) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	records, err := r.srv()
	return "", records, err
}

var (
	one         = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	errServfail = &net.DNSError{Err: "server misbehaving", Name: "app", IsTemporary: true}
)

func TestDiscoveryTakesItsTime(t *testing.T) {
	tests := []struct {
		name        string
		lookup      func(ctx context.Context, n int) ([]netip.Addr, error) // the nth
		least, most []time.Duration                                        // between lookups
		updates     string                                                 // at which lookups, and whether with an error
	}{
		{
			"at each interval, give or take a tenth",
			func(context.Context, int) ([]netip.Addr, error) { return one, nil },
			[]time.Duration{9 * time.Second, 9 * time.Second, 9 * time.Second, 9 * time.Second},
			[]time.Duration{11 * time.Second, 11 * time.Second, 11 * time.Second, 11 * time.Second},
			"0 ",
		},
		{
			"sooner until it resolves",
			func(_ context.Context, n int) ([]netip.Addr, error) {
				if n < 9 {
					return nil, errServfail
				}
				return one, nil
			},
			[]time.Duration{225 * time.Millisecond, 450 * time.Millisecond, 675 * time.Millisecond, time.Second, 0, 0, 0, 7 * time.Second, 9 * time.Second, 9 * time.Second},
			[]time.Duration{275 * time.Millisecond, 550 * time.Millisecond, 825 * time.Millisecond, 2 * time.Second, time.Minute, time.Minute, time.Minute, 11 * time.Second, 11 * time.Second, 11 * time.Second},
			"0! 9 ",
		},
		{
			"at the interval once it has resolved, and told when fortune changes",
			func(_ context.Context, n int) ([]netip.Addr, error) {
				if n == 1 || n == 2 || n == 4 {
					return nil, errServfail
				}
				return one, nil
			},
			[]time.Duration{9 * time.Second, 9 * time.Second, 9 * time.Second, 9 * time.Second, 9 * time.Second},
			[]time.Duration{11 * time.Second, 11 * time.Second, 11 * time.Second, 11 * time.Second, 11 * time.Second},
			"0 1! 3 4! 5 ",
		},
		{
			"a lookup that hangs ends after the interval",
			func(ctx context.Context, n int) ([]netip.Addr, error) {
				if n == 1 {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return one, nil
			},
			[]time.Duration{9 * time.Second, 19 * time.Second},
			[]time.Duration{11 * time.Second, 21 * time.Second},
			"0 1! 2 ",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var asked []time.Time
				resolver := resolver{addrs: func(ctx context.Context) ([]netip.Addr, error) {
					asked = append(asked, time.Now())
					if len(asked) > len(test.least)+1 {
						cancel()
						return nil, errServfail // of no consequence any more
					}
					return test.lookup(ctx, len(asked)-1)
				}}
				start, updates := time.Now(), ""
				discovery(t, balancer.Config{}, "dns+http://app:80", resolver).Run(ctx, func(change balancer.Discovered) {
					updates += strconv.Itoa(len(asked) - 1)
					if change.Err != nil {
						updates += "!"
					}
					updates += " "
				})
				if asked[0] != start {
					t.Error("the first lookup is not at once")
				}
				for i, least := range test.least {
					if wait := asked[i+1].Sub(asked[i]); wait < least || wait > test.most[i] {
						t.Errorf("%v after lookup %d, want %v to %v", wait, i, least, test.most[i])
					}
				}
				if updates != test.updates {
					t.Errorf("told at %s, want %s", updates, test.updates)
				}
			})
		})
	}
}

func TestDiscoveryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		hangs := resolver{addrs: func(ctx context.Context) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		start := time.Now()
		discovery(t, balancer.Config{}, "dns+http://app", hangs).Run(ctx, func(change balancer.Discovered) {
			t.Errorf("told of %v", change.Err)
		})
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestServiceWeights(t *testing.T) {
	tests := []struct {
		name, option string
		weights      []uint16
		want         string
	}{
		{"alike", "", []uint16{33, 33, 33}, "1 1 1"},
		{"none", "", []uint16{0, 0}, "1 1"},
		{"one of them none", "", []uint16{0, 10}, "1 10"},
		{"in proportion", "", []uint16{30, 10}, "3 1"},
		{"large", "", []uint16{65535, 1, 32768}, "100 1 50"},
		{"times the member's", ";weight=3", []uint16{30, 10}, "9 3"},
		{"times a large one", ";weight=1000", []uint16{30, 10}, "1000 1000"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var records []*net.SRV
			for i, weight := range test.weights {
				records = append(records, &net.SRV{Target: "a.", Port: uint16(i + 1), Weight: weight})
			}
			ctx, cancel := context.WithCancel(t.Context())
			var got []string
			discovery(t, quick, "dns+srv://_x._tcp.app"+test.option, resolver{
				srv: func() ([]*net.SRV, error) { return records, nil },
			}).Run(ctx, func(change balancer.Discovered) {
				for _, b := range change.Backends {
					got = append(got, strconv.Itoa(b.Weight))
				}
				cancel()
			})
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("weights (-want +got):\n%s", diff)
			}
		})
	}
}

func TestServiceRecordsThatAreNotAllValid(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	partly := resolver{srv: func() ([]*net.SRV, error) {
		return []*net.SRV{{Target: "a.", Port: 80}}, &net.DNSError{Err: "DNS response contained records which contain invalid names"}
	}}
	discovery(t, quick, "dns+srv://_x._tcp.app", partly).Run(ctx, func(change balancer.Discovered) {
		if listed(change.Joined) != "a:80" || change.Err == nil {
			t.Errorf("joined %s, error %v; want a:80 and an error", listed(change.Joined), change.Err)
		}
		cancel()
	})
}

func TestNamesToLookUp(t *testing.T) {
	type target struct {
		Scheme, URL, Lookup string
		SRV                 bool
	}
	good := map[string]target{
		"dns+http://app:3000":                     {"http", "http://app:3000", "app", false},
		"DNS+HTTPS://app.example.:8443/base/":     {"https", "https://app.example:8443/base", "app.example.", false},
		"dns+h2c://app":                           {"h2c", "http://app", "app", false},
		"dns+srv://_http._tcp.app.example":        {"http", "http://app.example", "_http._tcp.app.example", true},
		"dns+srv+https://_https._tcp.app.example": {"https", "https://app.example", "_https._tcp.app.example", true},
		"dns+srv+h2c://app.service.consul.":       {"h2c", "http://app.service.consul", "app.service.consul.", true},
	}
	for text, want := range good {
		var m balancer.Members
		if err := m.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, target(balancer.TargetOf(m[0]))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	bad := map[string]string{
		"dns+http://10.0.0.1:80":       "leave dns+ out",
		"dns+http://[::1]:80":          "leave dns+ out",
		"dns+http://.:80":              "is not an",
		"dns+http://":                  "no host",
		"dns+srv://_http._tcp.app:80":  "must not have a port",
		"dns+srv://_http._tcp":         "no domain",
		"dns+srv://_https._tcp.app":    "write dns+srv+https",
		"dns+tcp://app:80":             "scheme",
		"dns+http://app:80;refresh=1s": "option",
	}
	for text, want := range bad {
		var m balancer.Members
		if err := m.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}

func TestNamesThatAreLookedUpHaveNoBackendOfTheirOwn(t *testing.T) {
	var cfg balancer.Config
	if err := cfg.Backends.UnmarshalText([]byte("http://a,dns+http://b,dns+srv://_x._tcp.c")); err != nil {
		t.Fatal(err)
	}
	pool, err := balancer.New(cfg, probe.Config{}, balancer.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(pool.Members()); n != 1 {
		t.Errorf("%d backends; want that of http://a only", n)
	}
	if n := len(balancer.Discoveries(pool, nil)); n != 2 {
		t.Errorf("%d discoveries; want 2", n)
	}
}
