package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"spangate/handler/config"
	"spangate/handler/field"
	"spangate/handler/route"
	"spangate/telemetry"
)

// container is what a process finds in a container of a cluster beside the
// backends: a few variables of the image and of the language, and one service's.
var container = []string{
	"BACKENDS=http://app-1:3000,http://app-2:3000", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME=/", "HOSTNAME=spangate-5c9f7d8b6-x2x7q",
	"LANG=C.UTF-8", "TERM=xterm", "SSL_CERT_FILE=/etc/ssl/cert.pem", "POD_NAME=spangate-5c9f7d8b6-x2x7q", "POD_NAMESPACE=default", "NODE_EXTRA_CA_CERTS=/ca.pem",
	"KUBERNETES_SERVICE_HOST=10.96.0.1", "KUBERNETES_SERVICE_PORT=443", "KUBERNETES_SERVICE_PORT_HTTPS=443", "KUBERNETES_PORT=tcp://10.96.0.1:443",
	"KUBERNETES_PORT_443_TCP=tcp://10.96.0.1:443", "KUBERNETES_PORT_443_TCP_PROTO=tcp", "KUBERNETES_PORT_443_TCP_PORT=443", "KUBERNETES_PORT_443_TCP_ADDR=10.96.0.1",
}

// loads are what configurations cost most to read.
func loads() map[string][]string {
	everything := slices.Clone(container)
	for _, v := range config.Variables(&Config{}) {
		if v.Default != "" && v.Name != "TLS_CLIENT_AUTH" { // which is refused where no authority is named
			everything = append(everything, v.Name+"="+v.Default)
		}
	}
	return map[string][]string{"a container's": container, "everything set": everything, "a route": withRoutes(1), "100 routes": withRoutes(100)}
}

// withRoutes is what a container finds beside n routes of five variables each.
func withRoutes(n int) []string {
	environ := slices.Clone(container)
	var names []string
	for i := range n {
		name, prefix := fmt.Sprintf("route-%d", i), fmt.Sprintf("ROUTE_ROUTE_%d_", i)
		names = append(names, name)
		environ = append(environ, prefix+"MATCH=/"+name+"/*", prefix+"BACKENDS=http://"+name+":8080", prefix+"RATE_LIMIT=20/s", prefix+"RETRY_ATTEMPTS=1", prefix+"REQUEST_TIMEOUT=5s")
	}
	return append(environ, "ROUTES="+strings.Join(names, ","))
}

func load(tb testing.TB, environ []string) {
	var cfg Config
	if _, warnings, err := config.Load(&cfg, environ, cfg.check); err != nil || warnings != nil {
		tb.Fatal(err, warnings)
	}
}

// TestLoadAllocations holds what is read before anything is served. It grows with
// the variables that there are and, unless somebody looks, with those of others. A route
// costs what is read for it: neither what it inherits nor what other routes have.
func TestLoadAllocations(t *testing.T) {
	const most, mostOfRoute = 2000, 75
	for name, environ := range loads() {
		most := float64(most + mostOfRoute*strings.Count(strings.Join(environ, " "), "_MATCH="))
		if allocated := testing.AllocsPerRun(10, func() { load(t, environ) }); allocated > most {
			t.Errorf("%s: loading the configuration allocates %v times, want at most %v", name, allocated, most)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for name, environ := range loads() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				load(b, environ)
			}
		})
	}
}

// TestStartOfRoutes holds how much memory a start takes for each route: touching it for the
// first time is most of what a route adds to the time of a start.
func TestStartOfRoutes(t *testing.T) {
	const most = 16 << 10
	taken := func(n int) uint64 {
		environ := withRoutes(n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var cfg Config
		if _, _, err := config.Load(&cfg, environ, cfg.check); err != nil {
			t.Fatal(err)
		}
		buildTable(t, cfg)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	taken(1) // what is made once
	one, many := taken(1), taken(101)
	if each := (many - one) / 100; each > most {
		t.Errorf("a route takes %d bytes, want at most %d", each, most)
	}
}

// BenchmarkTable builds what serves, of a configuration that is read.
func BenchmarkTable(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d routes", n), func(b *testing.B) {
			var cfg Config
			if _, _, err := config.Load(&cfg, withRoutes(n), cfg.check); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				buildTable(b, cfg)
			}
		})
	}
}

func buildTable(tb testing.TB, cfg Config) {
	tel, err := telemetry.New(cfg.Telemetry, telemetry.Process{Routes: len(cfg.Routes.Each)}, io.Discard)
	if err != nil {
		tb.Fatal(err)
	}
	fields := field.NewSet(slices.Concat(cfg.Route.Fields(), cfg.Routes.Fields(), []string{string(cfg.Origin.Header)})...)
	if _, err := route.NewTable(cfg.Route, cfg.Routes.Each, route.Front{Shared: cfg.Route.Shared, Fields: fields, ClientTimeout: cfg.Wire.ClientTimeout, Reload: cfg.Wire.TLS.ReloadInterval}, tel); err != nil {
		tb.Fatal(err)
	}
	tel.Flush(0, nil)
}
