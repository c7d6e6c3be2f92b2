package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/admin"
)

// linkLocal returns an address of this host that is one only together with its
// zone.
func linkLocal(t *testing.T) netip.Addr {
	t.Helper()
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is6() && prefix.Addr().IsLinkLocalUnicast() {
				return prefix.Addr().WithZone(i.Name)
			}
		}
	}
	t.Skip("no interface has a link-local address")
	return netip.Addr{}
}

// TestBackendWithAZone has backends at an address that needs its zone to be
// dialled. Nobody else is told of it: the backend finds it neither in Host nor
// in :authority, telemetry not in server.address.
func TestBackendWithAZone(t *testing.T) {
	t.Parallel()
	addr := linkLocal(t)
	for name, probe := range map[string]string{"tcp": "PROBE_TYPE=tcp", "http": "PROBE_PATH=/probe"} {
		for _, scheme := range []string{"http", "h2c"} {
			t.Run(scheme+", probed by "+name, func(t *testing.T) {
				t.Parallel()
				ln, err := net.Listen("tcp", net.JoinHostPort(addr.String(), "0"))
				if err != nil {
					t.Skip(err)
				}
				hosts := make(chan string, 100)
				backend := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hosts <- r.URL.Path + " " + r.Host }))
				backend.Listener.Close()
				backend.Listener = ln
				backend.Config.Protocols = new(http.Protocols)
				backend.Config.Protocols.SetHTTP1(true)
				backend.Config.Protocols.SetUnencryptedHTTP2(true)
				backend.Start()
				t.Cleanup(backend.Close)
				_, port, _ := net.SplitHostPort(ln.Addr().String())
				dialled := net.JoinHostPort(addr.String(), port)
				configured := (&url.URL{Scheme: scheme, Host: dialled}).String()
				if !strings.Contains(configured, "%25") {
					t.Fatalf("%s has no zone", configured)
				}

				p := start(t, "BACKENDS="+configured, "BACKEND_HOST=backend", probe, "PROBE_INTERVAL=1h")
				if resp, text := p.ask(t, "GET", "/asked", nil); resp.StatusCode != http.StatusOK {
					t.Fatalf("status %d: %s", resp.StatusCode, text)
				}
				authority := net.JoinHostPort(addr.WithZone("").String(), port)
				want, wanted := map[string]bool{"/asked " + authority: true}, 1
				if name == "http" {
					want["/probe "+authority] = true
					wanted++
				}
				got := map[string]bool{}
				for range wanted {
					got[<-hosts] = true
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the backend's requests (-want +got):\n%s", diff)
				}
				status := p.status(t)
				if diff := cmp.Diff([]admin.Backend{{Name: configured, Address: dialled, State: status.Backends[0].State, Serves: status.Backends[0].Serves}}, status.Backends); diff != "" {
					t.Errorf("status (-want +got):\n%s", diff)
				}
				p.stop()
				for _, span := range p.spans("CLIENT") {
					if span.Attributes["user_agent.synthetic.type"] != nil {
						continue
					}
					got := []any{span.Attributes["server.address"], span.Attributes["url.full"], span.Attributes["spangate.backend"], span.Attributes["spangate.backend.address"]}
					want := []any{addr.WithZone("").String(), "http://" + authority + "/asked", configured, dialled}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("the attempt (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}

// TestServerAddressOfIPv6 has a client ask for an IPv6 address, with a port and
// without: what telemetry tells of it is the address, without brackets.
func TestServerAddressOfIPv6(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{"[2001:db8::1]": "2001:db8::1 80", "[2001:db8::1]:8080": "2001:db8::1 8080"} {
		p := start(t, "BACKENDS=echo:a")
		p.knock(t, knock{method: "GET", header: []string{"Host: " + host}})
		p.stop()
		for _, span := range p.spans("SERVER") {
			if got := fmt.Sprint(span.Attributes["server.address"], " ", span.Attributes["server.port"]); got != want {
				t.Errorf("Host %s: server.address and .port %s, want %s", host, got, want)
			}
		}
	}
}

func TestZonesAtFault(t *testing.T) {
	for backends, want := range map[string]string{
		"http://[fe80::1%eth0]:3000":                 `BACKENDS="http://[fe80::1%eth0]:3000": backend "http://[fe80::1%eth0]:3000": the zone of an address is written behind %25, as in http://[fe80::1%25eth0]:3000`,
		"http://[fe80::1%25]:3000":                   `BACKENDS="http://[fe80::1%25]:3000": backend "http://[fe80::1%25]:3000": the zone of an address is written behind %25, as in http://[fe80::1%25eth0]:3000`,
		"dns+http://[fe80::1%25eth0]:3000":           `BACKENDS="dns+http://[fe80::1%25eth0]:3000": backend "dns+http://[fe80::1%25eth0]:3000": fe80::1%eth0 is an address, of which there is nothing to look up: leave dns+ out`,
		"h2c://[fe80::1%25a],h2c://[FE80::1%25a]:80": `BACKENDS="h2c://[fe80::1%25a],h2c://[FE80::1%25a]:80": backend "h2c://[FE80::1%25a]:80": is listed twice, first as "h2c://[fe80::1%25a]"; to give it a larger share write h2c://[FE80::1%25a]:80;weight=2`,
	} {
		err := command(t.Context(), []string{"config"}, []string{"BACKENDS=" + backends}, io.Discard)
		if diff := cmp.Diff([]string{want}, lines(err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", backends, diff)
		}
	}
	twoZones := "BACKENDS=http://[fe80::1%25eth0]:3000,http://[fe80::1%25eth1]:3000,https://[fe80::1%25eth0]/path%2F/"
	if err := command(t.Context(), []string{"config"}, []string{twoZones}, io.Discard); err != nil {
		t.Errorf("%s: %v", twoZones, err)
	}
}
