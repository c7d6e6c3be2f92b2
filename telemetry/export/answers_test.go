package export_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"spangate/telemetry/otlptest"
)

// A connection that a collector, or what is before it, has closed while nothing
// was sent costs no attempt.
func TestKeptConnectionsThatWereClosed(t *testing.T) {
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		collector := otlptest.NewServer(t)
		through := newGate(t, map[string]string{"http/protobuf": collector.URL(), "grpc": collector.GRPCURL()}[protocol])
		log := newLogged()
		pipelines := start(t, map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": through.url, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
			"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_BSP_SCHEDULE_DELAY": "1",
		}, log.logger(), io.Discard)
		for n := 1; n <= 20; n++ {
			_, span := pipelines.Tracer.Tracer("test").Start(t.Context(), "span")
			span.End()
			for pipelines.Status()[0].Exported < int64(n) { // answered
				runtime.Gosched()
			}
			through.closeAll()
		}
		shutdown(t, pipelines)
		if log.String() != "" {
			t.Errorf("%s: %s", protocol, log)
		}
	}
}

// gate passes connections on to a server, and can close them.
type gate struct {
	url string

	mu    sync.Mutex
	conns []net.Conn
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{url: "http://" + ln.Addr().String()}
	t.Cleanup(func() { ln.Close(); g.closeAll() })
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", strings.TrimPrefix(to, "http://"))
			if err != nil {
				near.Close()
				continue
			}
			g.mu.Lock()
			g.conns = append(g.conns, near, far)
			g.mu.Unlock()
			go io.Copy(far, near)
			go io.Copy(near, far)
		}
	}()
	return g
}

func (g *gate) closeAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, conn := range g.conns {
		conn.Close()
	}
	g.conns = nil
}

func TestAnswersOfTheCollector(t *testing.T) {
	partial, err := proto.Marshal(&coltraces.ExportTraceServiceResponse{
		PartialSuccess: &coltraces.ExportTracePartialSuccess{RejectedSpans: 2, ErrorMessage: "too old (by an hour)"},
	})
	if err != nil {
		t.Fatal(err)
	}
	remark := func(w http.ResponseWriter, _ *http.Request) {
		answer, err := proto.Marshal(&coltraces.ExportTraceServiceResponse{
			PartialSuccess: &coltraces.ExportTracePartialSuccess{ErrorMessage: strings.Repeat("please upgrade ", 1<<16)},
		})
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Write(answer)
	}
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	ok := func(w http.ResponseWriter, _ *http.Request) {}
	for _, tt := range []struct {
		name    string
		answers []http.HandlerFunc
		want    map[string]float64
		log     string
	}{
		{"takes some", []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-protobuf")
			w.Write(partial)
		}}, map[string]float64{"exported": 1, "failed rejected": 2}, "too old"},
		{"is busy, then takes all", []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "0")
			http.Error(w, "come again", http.StatusServiceUnavailable)
		}, ok}, map[string]float64{"exported": 3}, "come again"},
		{"refuses for good", []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "who are you", http.StatusUnauthorized)
		}}, map[string]float64{"exported": 0, "failed export_failed": 3}, "who are you"},
		{"takes all, and remarks something at length", []http.HandlerFunc{remark}, map[string]float64{"exported": 3}, ""},
		{"refuses, and says that it takes all", []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "OTLP partial success: empty message (0 spans rejected)", http.StatusBadRequest)
		}}, map[string]float64{"exported": 0, "failed export_failed": 3}, "400 Bad Request"},
		{"hangs up, then takes all", []http.HandlerFunc{hangUp, ok}, map[string]float64{"exported": 3}, ""},
		{"hangs up twice, then takes all", []http.HandlerFunc{hangUp, hangUp, ok}, map[string]float64{"exported": 3}, "EOF"},
		{"sends elsewhere", []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		}}, map[string]float64{"exported": 0, "failed export_failed": 3}, "307"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answers := make(chan http.HandlerFunc, len(tt.answers))
			for _, a := range tt.answers {
				answers <- a
			}
			picky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				select {
				case answer := <-answers:
					answer(w, r)
				default:
					t.Errorf("unexpected %s %s", r.Method, r.URL)
				}
			}))
			defer picky.Close()
			collector := otlptest.NewServer(t)
			log := newLogged()
			pipelines := start(t, map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT":        collector.URL(),
				"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": picky.URL,
				"OTEL_LOGS_EXPORTER":                 "none",
			}, log.logger(), io.Discard)
			record(t, pipelines, 3)
			shutdown(t, pipelines)
			if diff := cmp.Diff(tt.want, spanCounts(collector.Metrics())); diff != "" {
				t.Errorf("spangate.telemetry.spans (-want +got):\n%s", diff)
			}
			if tt.log == "" && log.String() != "" || !strings.Contains(log.String(), tt.log) || len(log.String()) > 2000 {
				t.Errorf("log is not about %q:\n%.2000s", tt.log, log)
			}
		})
	}
}
