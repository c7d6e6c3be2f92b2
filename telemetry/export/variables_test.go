package export

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"spangate/handler/config"
	"spangate/telemetry/export/series"
	"spangate/telemetry/otlptest"
)

// variableCase shows what a variable does: what is seen is want when it is set,
// and something else when it is not.
type variableCase struct {
	beside []string // other variables that it needs, as NAME=value
	value  string
	await  func(*testing.T, *observed) // with it set, before the pipelines are shut down; nil: nothing
	during func(*testing.T, *observed) // with it set, while they are shut down; nil: for as long as that may take
	see    func(*observed) any
	want   any
}

// observed is what a configuration came to, and what was sent of a request, a
// log record and a measurement until the pipelines were shut down.
type observed struct {
	fault    error // there is nothing else then
	cfg      Config
	usual    *otlptest.Server // where everything goes
	other    *otlptest.Server // unless a variable says OTHER, OTHERGRPC or OTHERHOST,
	hung     *counting        // HUNG, which takes exports and never answers,
	secure   *counting        // or SECURE, which asks for certificates
	early    int              // exports that were begun before the pipelines were shut down
	lost     map[string]int64 // spans and log records, by why
	stdout   bytes.Buffer
	log      bytes.Buffer
	injected propagation.MapCarrier
}

// TestVariables has a case for each OTEL_* variable of this package.
func TestVariables(t *testing.T) {
	cases := variableCases(t)
	for _, v := range config.Variables(&Config{}) {
		c, ok := cases[v.Name]
		delete(cases, v.Name)
		switch {
		case !strings.HasPrefix(v.Name, "OTEL_"):
		case !ok:
			t.Errorf("nothing shows what %s does", v.Name)
		default:
			t.Run(v.Name, func(t *testing.T) {
				if v.Name != "OTEL_LOG_LEVEL" { // the SDK's logger is one for the process
					t.Parallel()
				}
				with, without := observe(t, append(slices.Clip(c.beside), v.Name+"="+c.value), c.await, c.during), observe(t, c.beside, nil, nil)
				if with.fault != nil {
					t.Fatal(with.fault)
				}
				var otherwise any = without.fault
				if without.fault == nil {
					otherwise = c.see(without)
				}
				if got := c.see(with); got != c.want || otherwise == c.want {
					t.Errorf("%v is seen with %s=%s and %v without, want %v and anything else", got, v.Name, c.value, otherwise, c.want)
				}
			})
		}
	}
	for name := range cases {
		t.Errorf("%s is no variable", name)
	}
}

// counting is a server that counts requests by path.
type counting struct {
	url string

	mu     sync.Mutex
	count  map[string]int
	came   chan struct{}   // holds one
	client map[string]bool // with a certificate
}

func newCounting(t *testing.T, start func(*httptest.Server), answer func(*http.Request)) *counting {
	t.Helper()
	c := &counting{count: map[string]int{}, client: map[string]bool{}, came: make(chan struct{}, 1)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		c.mu.Lock()
		c.count[r.URL.Path]++
		c.client[r.URL.Path] = r.TLS != nil && len(r.TLS.PeerCertificates) > 0
		c.mu.Unlock()
		select {
		case c.came <- struct{}{}:
		default:
		}
		answer(r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	start(server)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *counting) of(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count[path]
}

func (c *counting) hadCertificate(path string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.client[path]
}

// await blocks until so many requests have come for a path.
func (c *counting) await(t *testing.T, path string, n int) {
	t.Helper()
	tooLong := time.After(time.Minute)
	for c.of(path) < n {
		select {
		case <-c.came:
		case <-tooLong:
			t.Fatalf("%d requests for %s, want %d", c.of(path), path, n)
		}
	}
}

func observe(t *testing.T, variables []string, await, during func(*testing.T, *observed)) *observed {
	t.Helper()
	o := &observed{
		usual: otlptest.NewServer(t), other: otlptest.NewServer(t), injected: propagation.MapCarrier{}, lost: map[string]int64{},
		hung: newCounting(t, (*httptest.Server).Start, func(r *http.Request) { <-r.Context().Done() }),
		secure: newCounting(t, func(s *httptest.Server) {
			s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
			s.StartTLS()
		}, func(*http.Request) {}),
	}
	given := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": o.usual.URL()}
	place := strings.NewReplacer("OTHERGRPC", o.other.GRPCURL(), "OTHERHOST", strings.TrimPrefix(o.other.GRPCURL(), "http://"), "OTHER", o.other.URL(), "HUNG", o.hung.url, "SECURE", o.secure.url)
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		given[name] = place.Replace(value)
	}
	if err := env.ParseWithOptions(&o.cfg, env.Options{Environment: given}); err != nil {
		t.Fatal(err)
	}
	if o.fault = config.Named(&o.cfg, o.cfg.Check()); o.fault != nil {
		return o
	}
	pipelines, err := New(o.cfg, Process{}, slog.New(slog.NewTextHandler(&o.log, &slog.HandlerOptions{Level: slog.LevelDebug})), &o.stdout)
	if err != nil {
		t.Fatal(err)
	}
	o.emit(t, pipelines)
	if await != nil {
		await(t, o)
	}
	o.early = len(o.usual.Requests()) + o.hung.of("/v1/metrics")
	patience := time.Minute
	if during == nil && slices.ContainsFunc(variables, func(v string) bool { return strings.Contains(v, "=HUNG") }) {
		patience = 2 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var shutdown sync.WaitGroup
	shutdown.Go(func() { pipelines.Shutdown(ctx) }) // what could not be delivered is among what is seen
	if during != nil {
		during(t, o)
		cancel()
	}
	shutdown.Wait()
	for _, counts := range []map[outcome]int64{accountOf(pipelines.spans), accountOf(pipelines.records)} {
		for outcome, n := range counts {
			o.lost[outcome.cause] += n
		}
	}
	return o
}

func accountOf[T any](b *batcher[T]) map[outcome]int64 {
	if b == nil {
		return nil
	}
	return b.account().counts
}

// gauge returns the value of a metric that has one series.
func (o *observed) gauge(name string) any {
	for _, m := range o.usual.Metrics() {
		if m.Name == name {
			return m.Points[0].Value
		}
	}
	return nil
}

// emit records more of everything than any limit lets through.
func (o *observed) emit(t *testing.T, pipelines *Pipelines) {
	const many = 140
	attributes := func(letter string) []attribute.KeyValue {
		list := []attribute.KeyValue{attribute.String("long", strings.Repeat("x", 5000))}
		for i := range many {
			list = append(list, attribute.Int(fmt.Sprint(letter, i), i))
		}
		return list
	}
	there := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled})
	links := []trace.Link{{SpanContext: there, Attributes: attributes("l")}}
	for range many {
		links = append(links, trace.Link{SpanContext: there})
	}
	ctx, span := pipelines.Tracer.Tracer("test").Start(t.Context(), "request",
		trace.WithSpanKind(trace.SpanKindServer), trace.WithLinks(links...), trace.WithAttributes(attributes("a")...))
	for i := range many {
		if i == many-1 {
			span.AddEvent("event", trace.WithAttributes(attributes("e")...))
		} else {
			span.AddEvent("event")
		}
	}
	pipelines.Propagator.Inject(trace.ContextWithSpanContext(t.Context(), there), o.injected)
	histogram := pipelines.Meter.Meter("test", "").Durations(series.Description{Name: "test.duration"}).Of()
	histogram.Record(ctx, time.Second)
	if pipelines.Events != nil {
		var attrs []any
		for _, kv := range attributes("r") {
			attrs = append(attrs, string(kv.Key), kv.Value.AsInterface())
		}
		slog.New(pipelines.Events).InfoContext(ctx, "test", attrs...)
		slog.New(pipelines.Events).InfoContext(ctx, "another")
	}
	span.End()
	_, another := pipelines.Tracer.Tracer("test").Start(t.Context(), "another")
	another.End()
}

func (o *observed) span() otlptest.Span {
	for _, s := range o.usual.Spans() {
		if s.Name == "request" {
			return s
		}
	}
	return otlptest.Span{}
}

func (o *observed) record() otlptest.Log {
	for _, l := range o.usual.Logs() {
		if l.Body == "test" {
			return l
		}
	}
	return otlptest.Log{}
}

func (o *observed) histogram() otlptest.Metric {
	for _, m := range o.usual.Metrics() {
		if m.Name == "test.duration" {
			return m
		}
	}
	return otlptest.Metric{}
}

// exports returns how many exports of a signal a collector got that ok holds of.
func exports(of *otlptest.Server, signal string, ok func(otlptest.Request) bool) (n int) {
	for _, r := range of.Requests() {
		if r.Signal == signal && ok(r) {
			n++
		}
	}
	return n
}

func each(otlptest.Request) bool { return true }

func variableCases(t *testing.T) map[string]variableCase {
	certificate, key := pairOfFiles(t)
	length := func(text any) int { s, _ := text.(string); return len(s) }
	cases := map[string]variableCase{
		"OTEL_SDK_DISABLED": {value: "true", see: func(o *observed) any { return len(o.usual.Requests()) }, want: 0},
		"OTEL_LOG_LEVEL": {
			beside: []string{"OTEL_SPAN_EVENT_COUNT_LIMIT=1"}, value: "debug",
			see: func(o *observed) any {
				return strings.Contains(o.log.String(), "level=INFO") || strings.Contains(o.log.String(), "level=DEBUG")
			}, want: true,
		},
		"OTEL_SERVICE_NAME":        {value: "shop", see: func(o *observed) any { return o.span().Resource["service.name"] }, want: "shop"},
		"OTEL_RESOURCE_ATTRIBUTES": {value: "team=a%20b", see: func(o *observed) any { return o.record().Resource["team"] }, want: "a b"},
		"OTEL_PROPAGATORS":         {value: "b3", see: func(o *observed) any { return o.injected["b3"] != "" && o.injected["traceparent"] == "" }, want: true},
		"OTEL_TRACES_SAMPLER":      {value: "always_off", see: func(o *observed) any { return len(o.usual.Spans()) }, want: 0},
		"OTEL_TRACES_SAMPLER_ARG": {
			beside: []string{"OTEL_TRACES_SAMPLER=traceidratio", "TRACE_KEEP=none"}, value: "0",
			see: func(o *observed) any { return o.span().Name }, want: "",
		},
		"OTEL_TRACES_EXPORTER": {value: "console", see: func(o *observed) any {
			return len(o.usual.Spans()) == 0 && strings.Contains(o.stdout.String(), "request  ")
		}, want: true},
		"OTEL_METRICS_EXPORTER": {value: "console", see: func(o *observed) any {
			return len(o.usual.Metrics()) == 0 && strings.Contains(o.stdout.String(), "test.duration")
		}, want: true},
		"OTEL_LOGS_EXPORTER": {value: "none", see: func(o *observed) any { return len(o.usual.Logs()) }, want: 0},

		// Exports begin before the pipelines are shut down, or are given up before that is.
		"OTEL_BSP_SCHEDULE_DELAY": {
			beside: []string{"OTEL_LOGS_EXPORTER=none", "OTEL_METRICS_EXPORTER=none"}, value: "7", await: spansCame,
			see: func(o *observed) any { return o.early > 0 }, want: true,
		},
		"OTEL_BLRP_SCHEDULE_DELAY": {
			beside: []string{"OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none"}, value: "7",
			await: func(t *testing.T, o *observed) {
				o.usual.WaitLogs(t, func(l []otlptest.Log) bool { return len(l) == 2 })
			},
			see: func(o *observed) any { return o.early > 0 }, want: true,
		},
		"OTEL_BSP_EXPORT_TIMEOUT": {
			beside: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=HUNG", "OTEL_LOGS_EXPORTER=none", "OTEL_METRICS_EXPORTER=none"}, value: "7",
			see: func(o *observed) any { return o.lost["export_failed"] }, want: int64(2),
		},
		"OTEL_BLRP_EXPORT_TIMEOUT": {
			beside: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=HUNG", "OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none"}, value: "7",
			see: func(o *observed) any { return o.lost["export_failed"] }, want: int64(2),
		},
		"OTEL_BSP_MAX_QUEUE_SIZE":         {value: "7", see: func(o *observed) any { return o.gauge("otel.sdk.processor.span.queue.capacity") }, want: 7.0},
		"OTEL_BLRP_MAX_QUEUE_SIZE":        {value: "7", see: func(o *observed) any { return o.gauge("otel.sdk.processor.log.queue.capacity") }, want: 7.0},
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE":  {value: "1", see: func(o *observed) any { return exports(o.usual, "traces", each) }, want: 2},
		"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": {value: "1", see: func(o *observed) any { return exports(o.usual, "logs", each) }, want: 2},

		"OTEL_METRIC_EXPORT_INTERVAL": {
			beside: []string{"OTEL_LOGS_EXPORTER=none", "OTEL_TRACES_EXPORTER=none"}, value: "7",
			await: func(t *testing.T, o *observed) {
				o.usual.WaitMetrics(t, func(m []otlptest.Metric) bool { return len(m) > 0 })
			},
			see: func(o *observed) any { return o.early > 0 }, want: true,
		},
		"OTEL_METRIC_EXPORT_TIMEOUT": {
			beside: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=HUNG", "OTEL_METRIC_EXPORT_INTERVAL=7", "OTEL_LOGS_EXPORTER=none", "OTEL_TRACES_EXPORTER=none"}, value: "7",
			await: func(t *testing.T, o *observed) { o.hung.await(t, "/v1/metrics", 2) },
			see:   func(o *observed) any { return o.early > 1 }, want: true,
		},
		"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE":        {value: "delta", see: func(o *observed) any { return o.histogram().Temporality }, want: "delta"},
		"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": {value: "base2_exponential_bucket_histogram", see: func(o *observed) any { return o.histogram().Kind }, want: "exponential_histogram"},
		"OTEL_METRICS_EXEMPLAR_FILTER": {value: "always_off", see: func(o *observed) any {
			m := o.histogram()
			return len(m.Points) == 1 && len(m.Points[0].Exemplars) == 0
		}, want: true},

		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": {value: "9", see: func(o *observed) any {
			return length(o.span().Attributes["long"]) + length(o.record().Attributes["long"])
		}, want: 18},
		"OTEL_ATTRIBUTE_COUNT_LIMIT":                  {value: "9", see: func(o *observed) any { return len(o.span().Attributes) + len(o.record().Attributes) }, want: 18},
		"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT":      {value: "9", see: func(o *observed) any { return length(o.span().Attributes["long"]) }, want: 9},
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":             {value: "9", see: func(o *observed) any { return len(o.span().Attributes) }, want: 9},
		"OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": {value: "9", see: func(o *observed) any { return length(o.record().Attributes["long"]) }, want: 9},
		"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT":        {value: "9", see: func(o *observed) any { return len(o.record().Attributes) }, want: 9},
		"OTEL_SPAN_EVENT_COUNT_LIMIT":                 {value: "9", see: func(o *observed) any { return len(o.span().Events) }, want: 9},
		"OTEL_SPAN_LINK_COUNT_LIMIT":                  {value: "9", see: func(o *observed) any { return len(o.span().Links) }, want: 9},
		"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": {
			beside: []string{"OTEL_SPAN_LINK_COUNT_LIMIT=200"}, value: "9",
			see: func(o *observed) any {
				if s := o.span(); len(s.Links) > 0 {
					return len(s.Links[0].Attributes)
				}
				return nil
			}, want: 9,
		},
		"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": {
			beside: []string{"OTEL_TRACES_EXPORTER=console_json", "OTEL_SPAN_EVENT_COUNT_LIMIT=200"}, value: "9",
			see: func(o *observed) any { return strings.Count(o.stdout.String(), `"key":"e`) }, want: 8, // and the long one
		},
	}
	for prefix, signal := range map[string]string{
		"OTEL_EXPORTER_OTLP_": "traces", "OTEL_EXPORTER_OTLP_TRACES_": "traces", "OTEL_EXPORTER_OTLP_METRICS_": "metrics", "OTEL_EXPORTER_OTLP_LOGS_": "logs",
	} {
		path := "/v1/" + signal
		if prefix == "OTEL_EXPORTER_OTLP_" {
			path = ""
		}
		secure := prefix + "ENDPOINT=SECURE" + path
		cases[prefix+"ENDPOINT"] = variableCase{value: "OTHER" + path, see: func(o *observed) any { return exports(o.other, signal, each) > 0 }, want: true}
		cases[prefix+"PROTOCOL"] = variableCase{
			beside: []string{prefix + "ENDPOINT=OTHERGRPC"}, value: "grpc",
			see: func(o *observed) any {
				return exports(o.other, signal, func(r otlptest.Request) bool { return r.Protocol == "grpc" }) > 0
			}, want: true,
		}
		cases[prefix+"HEADERS"] = variableCase{value: "x-key=a%20b", see: func(o *observed) any {
			return exports(o.usual, signal, func(r otlptest.Request) bool { return r.Header.Get("X-Key") == "a b" }) > 0
		}, want: true}
		cases[prefix+"TIMEOUT"] = variableCase{ // of an attempt: another one is made
			beside: []string{prefix + "ENDPOINT=HUNG" + path}, value: "300",
			during: func(t *testing.T, o *observed) { o.hung.await(t, "/v1/"+signal, 2) },
			see:    func(o *observed) any { return o.hung.of("/v1/"+signal) > 1 }, want: true,
		}
		cases[prefix+"COMPRESSION"] = variableCase{value: "gzip", see: func(o *observed) any {
			return exports(o.usual, signal, func(r otlptest.Request) bool { return r.Compression == "gzip" }) > 0
		}, want: true}
		cases[prefix+"CERTIFICATE"] = variableCase{beside: []string{secure}, value: certificate, see: func(o *observed) any { return o.secure.of("/v1/"+signal) > 0 }, want: true}
		cases[prefix+"CLIENT_CERTIFICATE"] = variableCase{
			beside: []string{secure, prefix + "CERTIFICATE=" + certificate, prefix + "CLIENT_KEY=" + key}, value: certificate,
			see: func(o *observed) any { return o.secure.hadCertificate("/v1/" + signal) }, want: true,
		}
		cases[prefix+"CLIENT_KEY"] = variableCase{
			beside: []string{secure, prefix + "CERTIFICATE=" + certificate, prefix + "CLIENT_CERTIFICATE=" + certificate}, value: key,
			see: func(o *observed) any { return o.secure.hadCertificate("/v1/" + signal) }, want: true,
		}
		cases[prefix+"INSECURE"] = variableCase{
			beside: []string{prefix + "PROTOCOL=grpc", prefix + "ENDPOINT=OTHERHOST"}, value: "true",
			see: func(o *observed) any { return exports(o.other, signal, each) > 0 }, want: true,
		}
	}
	return cases
}

func spansCame(t *testing.T, o *observed) {
	o.usual.WaitSpans(t, func(s []otlptest.Span) bool { return len(s) == 2 })
}

// pairOfFiles returns the files of a certificate and its key.
func pairOfFiles(t *testing.T) (certificate, key string) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	pair := server.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("certificate.pem", "CERTIFICATE", pair.Certificate[0]), write("key.pem", "PRIVATE KEY", private)
}
