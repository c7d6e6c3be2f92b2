package e2e

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// hostile is a collector that does to each export of spans what its test
// wants, and counts the spans that it said it took.
type hostile struct {
	took  atomic.Int64
	calls atomic.Int64 // of the fault that counts them
	gone  atomic.Bool  // of the fault that ends

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

// away names the fault that ends when the program leaves.
const away = "goes away, and is back when the program leaves"

// faults are what a collector may do to exports of spans. None of them listens
// when there is nothing to do.
var faults = map[string]func(h *hostile, w http.ResponseWriter, r *http.Request){
	"takes all": func(h *hostile, w http.ResponseWriter, r *http.Request) { h.take(w, r, 0) },
	"hangs": func(_ *hostile, _ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	},
	"resets": func(_ *hostile, _ http.ResponseWriter, r *http.Request) { reset(r) },
	"resets every other": func(h *hostile, w http.ResponseWriter, r *http.Request) {
		if h.calls.Add(1)%2 == 0 {
			h.take(w, r, 0)
			return
		}
		reset(r)
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
	"takes all, and answers nonsense": func(h *hostile, w http.ResponseWriter, r *http.Request) {
		h.take(httptest.NewRecorder(), r, 0)
		w.Header().Set("Content-Type", "application/x-protobuf")
		io.WriteString(w, "nonsense")
	},
	away: func(h *hostile, w http.ResponseWriter, r *http.Request) {
		if h.gone.Load() {
			reset(r)
			return
		}
		h.take(w, r, 0)
	},
	"refuses connections": nil,
}

// startHostile returns a collector with that fault, and the environment of a
// program that exports to it. Metrics are taken in each case.
func startHostile(t testing.TB, fault, protocol string) (*hostile, []string) {
	t.Helper()
	h := &hostile{}
	metrics := httptest.NewServer(http.HandlerFunc(h.metrics))
	t.Cleanup(metrics.Close)
	address := refusing(t)
	if do := faults[fault]; do != nil {
		var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { do(h, w, r) })
		if protocol == "grpc" {
			handler = asGRPC(handler)
		}
		collector := httptest.NewUnstartedServer(handler)
		collector.Config.Protocols = new(http.Protocols)
		collector.Config.Protocols.SetHTTP1(protocol != "grpc")
		collector.Config.Protocols.SetUnencryptedHTTP2(protocol == "grpc")
		collector.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, conn)
		}
		collector.Start()
		t.Cleanup(collector.Close)
		address = collector.Listener.Addr().String()
	}
	path := "/v1/traces"
	if protocol == "grpc" {
		path = ""
	}
	return h, []string{
		"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=" + metrics.URL + "/v1/metrics", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://" + address + path,
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=" + protocol, "OTEL_LOGS_EXPORTER=none",
		"OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_BSP_MAX_QUEUE_SIZE=1000",
		"HOST=127.0.0.1", "PORT=0", "PROBE_MODE=off", "ACCESS_LOG=off", "SHUTDOWN_TIMEOUT=10s",
	}
}

// TestHostileCollector holds that no request fails whatever the collector does,
// that the program leaves in time amid traffic, and that it says of each span
// whether it was taken: those that the collector acknowledged are exported, all
// others failed or dropped.
func TestHostileCollector(t *testing.T) {
	for fault := range faults {
		for _, protocol := range []string{"http/protobuf", "grpc"} {
			t.Run(fault+" over "+protocol, func(t *testing.T) {
				t.Parallel()
				h, environ := startHostile(t, fault, protocol)
				backends := startBackends(t, "a", "b")
				var lost atomic.Pointer[map[string]any]
				cmd := exec.Command(spangateBinary)
				cmd.Env = append(environ, backends.environment())
				spangate := launch(t, cmd, func(line []byte) {
					var entry map[string]any
					if json.Unmarshal(line, &entry) == nil && entry["msg"] == "telemetry was lost" {
						lost.Store(&entry)
					}
				})

				load := startLoad(t, 4, spangate.url)
				load.await(t, 400)
				h.gone.Store(true)
				load.await(t, 1000)
				h.gone.Store(false)
				if err := spangate.terminate(t); err != nil {
					t.Errorf("spangate ended: %v", err)
				}
				made := 2 * float64(load.wait()) // a SERVER and a CLIENT span for each request

				h.mu.Lock()
				defer h.mu.Unlock()
				t.Logf("%v made, %d taken, %v", made, h.took.Load(), h.spans)
				if sum := h.spans["exported"] + h.spans["failed"] + h.spans["dropped"]; sum != made || h.spans["exported"] != float64(h.took.Load()) {
					t.Errorf("%v spans were made and %d taken; reported are %v", made, h.took.Load(), h.spans)
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
}

// slowReader reads little at a time, and not often.
type slowReader struct{ io.Reader }

func (r slowReader) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return r.Reader.Read(p[:min(len(p), 2<<10)])
}

type connKey struct{}

// reset ends the connection that r came on as the kernel of a process does that
// is killed.
func reset(r *http.Request) {
	conn := r.Context().Value(connKey{}).(*net.TCPConn)
	conn.SetLinger(0)
	conn.Close()
}

// asGRPC lets a handler of OTLP/HTTP answer calls of OTLP/gRPC: with the same
// message in a frame, or with the status that stands for the handler's.
func asGRPC(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var frame [5]byte
		if _, err := io.ReadFull(r.Body, frame[:]); err != nil {
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		code := codes.OK
		switch answer.Code {
		case http.StatusOK:
		case http.StatusBadRequest:
			code = codes.InvalidArgument
		case http.StatusTooManyRequests:
			code = codes.ResourceExhausted
		case http.StatusServiceUnavailable:
			code = codes.Unavailable
		default: // not one of gRPC
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(answer.Code)
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		if seconds, err := strconv.Atoi(answer.Header().Get("Retry-After")); err == nil {
			asked, _ := status.New(code, "later").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Duration(seconds) * time.Second)})
			details, _ := proto.Marshal(asked.Proto())
			w.Header().Set("Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(details))
		}
		if code == codes.OK {
			binary.BigEndian.PutUint32(frame[1:], uint32(answer.Body.Len()))
			w.Write(append(frame[:], answer.Body.Bytes()...))
		}
		w.Header().Set("Grpc-Status", strconv.Itoa(int(code)))
	})
}
