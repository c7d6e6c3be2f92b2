package e2e

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// hostile is a collector that does to each export of spans what its test
// wants, and counts the spans that it said it took.
type hostile struct {
	took atomic.Int64

	mu    sync.Mutex
	spans map[string]float64 // the last of spangate.telemetry.spans, by result
}

// take acknowledges an export, save so many of its spans.
func (h *hostile) take(w http.ResponseWriter, r *http.Request, rejected int) {
	body, err := io.ReadAll(r.Body)
	request := ptraceotlp.NewExportRequest()
	if err != nil || request.UnmarshalProto(body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	rejected = min(rejected, request.Traces().SpanCount())
	answer := ptraceotlp.NewExportResponse()
	if rejected > 0 {
		answer.PartialSuccess().SetRejectedSpans(int64(rejected))
		answer.PartialSuccess().SetErrorMessage("not these")
	}
	h.took.Add(int64(request.Traces().SpanCount() - rejected))
	b, _ := answer.MarshalProto()
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Write(b)
}

// metrics is where the program says what became of its spans.
func (h *hostile) metrics(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	request := pmetricotlp.NewExportRequest()
	if err != nil || request.UnmarshalProto(body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	each := func(m pmetric.Metric) {
		if m.Name() != "spangate.telemetry.spans" {
			return
		}
		h.spans = map[string]float64{}
		for _, point := range m.Sum().DataPoints().All() {
			result, _ := point.Attributes().Get("spangate.telemetry.result")
			h.spans[result.Str()] += float64(point.IntValue())
		}
	}
	for _, resource := range request.Metrics().ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, m := range scope.Metrics().All() {
				each(m)
			}
		}
	}
}

// TestHostileCollector holds that no request fails whatever the collector does,
// that the program leaves in time, and that it says of each span whether it was
// taken: those that the collector acknowledged are exported, all others failed
// or dropped.
func TestHostileCollector(t *testing.T) {
	const away = "goes away, and is back when the program leaves"
	var calls atomic.Int64 // of the case that counts them
	for name, traces := range map[string]func(h *hostile, w http.ResponseWriter, r *http.Request){
		"takes all": func(h *hostile, w http.ResponseWriter, r *http.Request) { h.take(w, r, 0) },
		"hangs": func(_ *hostile, _ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		"resets": func(_ *hostile, w http.ResponseWriter, _ *http.Request) { reset(w) },
		"resets every other": func(h *hostile, w http.ResponseWriter, r *http.Request) {
			if calls.Add(1)%2 == 0 {
				h.take(w, r, 0)
				return
			}
			reset(w)
		},
		"asks to come later": func(_ *hostile, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"is unavailable": func(_ *hostile, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"refuses what it gets": func(_ *hostile, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, strings.Repeat("no", 1<<20))
		},
		"takes a part": func(h *hostile, w http.ResponseWriter, r *http.Request) { h.take(w, r, 7) },
		"reads slowly": func(h *hostile, w http.ResponseWriter, r *http.Request) {
			r.Body = struct {
				io.Reader
				io.Closer
			}{slowReader{r.Body}, r.Body}
			h.take(w, r, 0)
		},
		"sends elsewhere": func(_ *hostile, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		},
		"answers nonsense": func(_ *hostile, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-protobuf")
			io.WriteString(w, "nonsense")
		},
		away:                  func(h *hostile, w http.ResponseWriter, r *http.Request) { h.take(w, r, 0) },
		"refuses connections": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hostile{}
			mux := http.NewServeMux()
			mux.HandleFunc("/v1/metrics", h.metrics)
			metrics := httptest.NewServer(mux)
			t.Cleanup(metrics.Close)
			address := refusing(t)
			var gone atomic.Bool
			if traces != nil {
				collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if gone.Load() {
						reset(w)
						return
					}
					traces(h, w, r)
				}))
				t.Cleanup(collector.Close)
				address = collector.Listener.Addr().String()
			}
			backends := startBackends(t, "a", "b")
			var lost atomic.Pointer[map[string]any]
			cmd := exec.Command(spangateBinary)
			cmd.Env = []string{
				"HOST=127.0.0.1", "PORT=0", backends.environment(), "PROBE_MODE=off", "ACCESS_LOG=off", "SHUTDOWN_TIMEOUT=10s",
				"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=" + metrics.URL + "/v1/metrics", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://" + address + "/v1/traces",
				"OTEL_LOGS_EXPORTER=none", "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_BSP_MAX_QUEUE_SIZE=1000",
			}
			spangate := launch(t, cmd, func(line []byte) {
				var entry map[string]any
				if json.Unmarshal(line, &entry) == nil && entry["msg"] == "telemetry was lost" {
					lost.Store(&entry)
				}
			})

			const clients, each = 4, 125
			load := func() {
				var all sync.WaitGroup
				for c := range clients {
					all.Go(func() {
						client := newClient(c%2 == 1)
						defer client.CloseIdleConnections()
						for i := range each {
							if err := post(t.Context(), client, spangate.url, c*each+i, false); err != nil {
								t.Errorf("request %d: %v", c*each+i, err)
								return
							}
						}
					})
				}
				all.Wait()
			}
			load()
			gone.Store(name == away)
			load()
			gone.Store(false)
			if err := spangate.terminate(t); err != nil {
				t.Errorf("spangate ended: %v", err)
			}

			const made = 2 * 2 * clients * each // a SERVER and a CLIENT span for each request
			h.mu.Lock()
			defer h.mu.Unlock()
			t.Logf("%d made, %d taken, %v", made, h.took.Load(), h.spans)
			if sum := h.spans["exported"] + h.spans["failed"] + h.spans["dropped"]; sum != made || h.spans["exported"] != float64(h.took.Load()) {
				t.Errorf("%d spans were made and %d taken; reported are %v", made, h.took.Load(), h.spans)
			}
			told := map[string]float64{"exported": made}
			if entry := lost.Load(); entry != nil {
				told = map[string]float64{}
				for _, result := range []string{"exported", "failed", "dropped"} {
					told[result], _ = (*entry)["spans_"+result].(float64)
				}
			}
			for result, n := range told {
				if n != h.spans[result] {
					t.Errorf("the log says that %v spans were %s, the metric says %v", n, result, h.spans[result])
				}
			}
		})
	}
}

// slowReader reads little at a time, and not often.
type slowReader struct{ io.Reader }

func (r slowReader) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return r.Reader.Read(p[:min(len(p), 2<<10)])
}

// reset ends a connection as the kernel of a process does that is killed.
func reset(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}
