//go:build prometheus

package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// prometheusConfig is a collector that hands metrics to Prometheus.
const prometheusConfig = `
receivers:
  otlp:
    protocols:
      http: {endpoint: "127.0.0.1:0"}
      grpc: {endpoint: "127.0.0.1:0"}
exporters:
  file: {path: /dev/null}
  prometheus_remote_write: {endpoint: %s/api/v1/write}
service:
  telemetry:
    logs: {encoding: json}
    metrics: {level: none}
  pipelines:
    traces: {receivers: [otlp], exporters: [file]}
    logs: {receivers: [otlp], exporters: [file]}
    metrics: {receivers: [otlp], exporters: [prometheus_remote_write]}
`

// TestPrometheus holds that the dashboard's panels show something, and that the
// alerts fire, while what they are for happens, by whichever way metrics come.
func TestPrometheus(t *testing.T) {
	text, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	// How long it has to last is TestAlertRules', which has no need to wait.
	rules := regexp.MustCompile(`(?m)^( +for:).*$`).ReplaceAllString(string(text), "$1 0s")
	test := func(t *testing.T, prometheus *prometheus, exports ...[]string) {
		startFleet(t, prometheus, exports)
		t.Run("dashboard", func(t *testing.T) { testDashboard(t, prometheus, fleetSize) })
		t.Run("alerts", func(t *testing.T) { testAlerts(t, prometheus, rules) })
	}
	t.Run("of a collector", func(t *testing.T) {
		test(t, startPrometheus(t, rules), slices.Repeat([][]string{{"OTEL_METRIC_EXPORT_INTERVAL=200"}}, fleetSize["instance"])...)
	})
	t.Run("scraped", func(t *testing.T) {
		var targets []string
		var exports [][]string
		for range fleetSize["instance"] {
			port := freePort(t)
			targets = append(targets, `"localhost:`+port+`"`)
			exports = append(exports, []string{"OTEL_METRICS_EXPORTER=prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT=" + port})
		}
		test(t, startPrometheus(t, rules, targets...), exports...)
	})
}

// apiKey lets in at those instances that ask for credentials.
const apiKey = "0123456789abcdef0123456789abcdef"

// fleetSize is how many values the dashboard's variables have of the fleet. A pool that a
// route inherits is told of as that of the route default.
var fleetSize = map[string]int{"job": 1, "instance": 5, "backend": 10, "route": 3}

// startFleet runs instances of one service under traffic until the test ends:
// between them, all that has a panel or an alert happens again and again.
//
// Each of them has variables of its own that say how it exports metrics.
func startFleet(t *testing.T, prometheus *prometheus, exports [][]string) {
	t.Helper()
	collector := runCollector(t, fmt.Sprintf(prometheusConfig, prometheus.url))
	export := func(instance int, environ ...string) []string {
		all := append(collector.environment("http/protobuf"), "ACCESS_LOG=off")
		return append(append(all, exports[instance]...), environ...)
	}

	// One with all policies, before backends of which one fails requests, and
	// one comes and goes.
	serving := func(status int) string { return backend(t, status, func() int { return http.StatusOK }, backendTime) }
	var probes atomic.Int64
	flapping := backend(t, http.StatusOK, func() int {
		if probes.Add(1)%2 == 0 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	}, backendTime)
	busy := startSpangate(t, export(0,
		"ROUTES=web", "ROUTE_WEB_MATCH=/*",
		"BACKENDS="+strings.Join([]string{serving(200), serving(200), serving(503), flapping}, ","),
		"PROBE_PATH=/healthz", "PROBE_INTERVAL=50ms", "PROBE_FALL=1",
		"OUTLIER_FAILURES=0", "RETRY_BUDGET=0%",
		"MAX_CONCURRENT_REQUESTS=2", "MAX_QUEUE=2",
		"RATE_LIMIT=1/h", "RATE_LIMIT_KEY=header:X-Client",
		"CORS_ALLOWED_ORIGINS=https://app.example.com",
		"AUTH_API_KEYS=test:"+apiKey,
		"AUTH_JWT_JWKS_URL=http://"+refusing(t)+"/keys", "AUTH_JWT_ISSUER=issuer", "AUTH_JWT_AUDIENCE=audience",
		"GOMEMLIMIT=1GiB",
		"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.5",
	)...)
	credentials := "X-API-Key: " + apiKey
	for range 8 {
		ask(t, busy.url, "GET", credentials, "X-Client: {n}")
	}
	ask(t, busy.url, "POST", credentials, "X-Client: {n}")
	ask(t, busy.url, "GET", credentials, "X-Client: greedy")
	ask(t, busy.url, "GET")
	ask(t, busy.url, "GET", "Authorization: Bearer "+token())
	stammer(t, strings.TrimPrefix(busy.url, "http://"))
	ask(t, busy.url, "OPTIONS", "Origin: https://elsewhere.example", "Access-Control-Request-Method: GET")

	// One without a backend, whose certificate expires, is not believed, and changes
	// for one that cannot be used.
	certificate, port := expiring(t), freePort(t)
	alone := startSpangate(t, export(1, "ROUTES=web", "ROUTE_WEB_MATCH=/*", "BACKENDS=http://"+refusing(t), "PROBE_INTERVAL=50ms", "PROBE_FALL=1",
		"TLS_CERT_FILE="+certificate, "TLS_PORT="+port, "TLS_RELOAD_INTERVAL=50ms")...)
	distrust(t, "localhost:"+port)
	spoil(t, certificate)
	ask(t, alone.url, "GET")
	ask(t, alone.url, "GET")

	// One whose only backend fails requests, and is left out as far as that goes.
	failing := startSpangate(t, export(2, "BACKENDS="+serving(503), "PROBE_MODE=off", "RETRY_ATTEMPTS=0",
		"OUTLIER_FAILURES=1", "OUTLIER_MAX_PERCENT=100", "OUTLIER_EJECTION=1h")...)
	ask(t, failing.url, "GET")

	// One whose backend is slow, and which reaches neither the store of its rate
	// limit nor what takes its spans.
	slow := startSpangate(t, export(3,
		"BACKENDS="+backend(t, http.StatusOK, func() int { return http.StatusOK }, 1100*time.Millisecond),
		"RATE_LIMIT=100000/s", "RATE_LIMIT_REDIS_URL=redis://"+refusing(t),
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://"+refusing(t)+"/v1/traces",
		"OTEL_BSP_MAX_QUEUE_SIZE=1", "OTEL_BSP_EXPORT_TIMEOUT=100",
	)...)
	for range 32 {
		ask(t, slow.url, "GET")
	}

	// One with a route whose canary fails, and whose mirror is not there. Some requests
	// are none of it.
	routed := startSpangate(t, export(4,
		"ROUTES=shop", "ROUTE_SHOP_MATCH=GET /hello", "ROUTE_SHOP_BACKENDS="+serving(200), "RETRY_BUDGET=100%",
		"ROUTE_SHOP_CANARY_BACKENDS="+serving(503), "ROUTE_SHOP_CANARY=50%", "ROUTE_SHOP_CANARY_ABORT=errors>5%/1s",
		"ROUTE_SHOP_MIRROR_BACKENDS=http://"+refusing(t), "ROUTE_SHOP_MIRROR=50%", "PROBE_INTERVAL=50ms", "PROBE_FALL=1",
		"OUTLIER_FAILURES=0",
	)...)
	for range 8 {
		ask(t, routed.url, "GET")
	}
	ask(t, routed.url, "POST")
	ask(t, routed.url+"/elsewhere", "GET")
}

// freePort returns one that nobody listens on, from those that systems do not give
// to whoever asks for any.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		if ln, err := net.Listen("tcp", ":"+port); err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// backend is one that takes a while to answer requests, and none for probes.
func backend(t *testing.T, status int, health func() int, takes time.Duration) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			w.WriteHeader(health())
			return
		}
		select {
		case <-time.After(takes):
		case <-r.Context().Done():
		}
		w.WriteHeader(status)
		io.WriteString(w, "hello")
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// ask sends requests, one after another and not more than 100 a second, until the
// test ends. How they are answered is for the metrics to say. Of a header, {n} is
// another number each time.
func ask(t *testing.T, url, method string, header ...string) {
	t.Helper()
	client := newClient(false)
	t.Cleanup(client.CloseIdleConnections)
	each(t, func() {
		if err := askOnce(t.Context(), client, url, method, header); err != nil && t.Context().Err() == nil {
			t.Errorf("%s %s: %v", method, url, err)
		}
	})
}

// stammer sends requests that cannot be read.
func stammer(t *testing.T, address string) {
	t.Helper()
	each(t, func() {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
		io.Copy(io.Discard, conn)
	})
}

// each does something at short intervals until the test ends.
func each(t *testing.T, do func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pace := time.NewTicker(10 * time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-t.Context().Done():
				return
			case <-pace.C:
				do()
			}
		}
	}()
	t.Cleanup(func() { <-ended })
}

var asked atomic.Int64

func askOnce(ctx context.Context, client *http.Client, url, method string, header []string) error {
	var body io.Reader
	if method == "POST" {
		body = strings.NewReader("hello")
	}
	r, err := http.NewRequestWithContext(ctx, method, url+"/hello", body)
	if err != nil {
		return err
	}
	for _, field := range header {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Set(name, strings.ReplaceAll(value, "{n}", fmt.Sprint(asked.Add(1))))
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// token is one that nobody can judge without the issuer's keys.
func token() string {
	part := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"iss":"issuer","aud":"audience","sub":"somebody","exp":%d}`, time.Now().Add(time.Hour).Unix())
	return part([]byte(`{"alg":"RS256","kid":"key"}`)) + "." + part([]byte(claims)) + "." + part(make([]byte, 256))
}
