package export_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"spangate/telemetry/export"
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

// reply is what a collector says to one export. The zero value takes it.
type reply struct {
	rejected int    // of the items
	says     string // beside what it takes, or as what is wrong
	status   int    // of HTTP, if it takes nothing
	code     int    // of gRPC, likewise
	again    bool   // it asks to be asked again, at once
	broken   bool   // it answers with half a message
	garbage  bool   // with what is none
	cut      bool   // with less than it announced; over gRPC, with a status alone
	kind     string // of its answer over HTTP, if not the usual one
	hangsUp  bool
}

func (r reply) http(w http.ResponseWriter) {
	if r.again {
		w.Header().Set("Retry-After", "0")
	}
	if r.status == 0 {
		message := r.message()
		w.Header().Set("Content-Type", "application/x-protobuf")
		if r.kind != "" {
			w.Header().Set("Content-Type", r.kind)
		}
		if r.cut {
			w.Header().Set("Content-Length", strconv.Itoa(len(message)+1))
		}
		w.Write(message)
		return
	}
	w.Header().Set("Location", "/elsewhere") // which is not for a credential
	http.Error(w, r.says, r.status)
}

func (r reply) grpc(w http.ResponseWriter) {
	if r.status == http.StatusTemporaryRedirect {
		r.http(w)
		return
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin")
	if message := r.message(); r.code == 0 && !r.cut {
		w.Write(append([]byte{0, 0, 0, 0, byte(len(message))}, message...))
	}
	w.Header().Set("Grpc-Status", fmt.Sprint(r.code))
	w.Header().Set("Grpc-Message", r.says)
	if r.again {
		const retryInfo = "\x1a\x2c\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x00"
		w.Header().Set("Grpc-Status-Details-Bin", base64.StdEncoding.EncodeToString([]byte(retryInfo)))
	}
}

// message returns an ExportTraceServiceResponse, which is one for the other signals too.
func (r reply) message() []byte {
	partial := &coltraces.ExportTracePartialSuccess{RejectedSpans: int64(r.rejected), ErrorMessage: r.says}
	message, err := proto.Marshal(&coltraces.ExportTraceServiceResponse{PartialSuccess: partial})
	if err != nil {
		panic(err)
	}
	switch {
	case r.broken:
		return message[:1]
	case r.garbage:
		return []byte("OK")
	}
	return message
}

var signals = map[string]struct {
	path, method string
	record       func(*testing.T, *export.Pipelines) // makes three items
}{
	"traces": {"/v1/traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export", func(t *testing.T, p *export.Pipelines) {
		for range 3 {
			_, span := p.Tracer.Tracer("test").Start(t.Context(), "span")
			span.End()
		}
	}},
	"metrics": {"/v1/metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", func(*testing.T, *export.Pipelines) {}},
	"logs": {"/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export", func(_ *testing.T, p *export.Pipelines) {
		for range 3 {
			slog.New(p.Events).Info("record")
		}
	}},
}

func TestAnswersOfTheCollector(t *testing.T) {
	for _, tt := range []struct {
		name    string
		replies []reply
		want    export.Items
		fails   bool
		log     string
	}{
		{"takes all", []reply{{}}, export.Items{Exported: 3}, false, ""},
		{"takes some", []reply{{rejected: 2, says: "too old (by an hour)"}}, export.Items{Exported: 1, Failed: 2}, false, "too old"},
		{"counts wrong", []reply{{rejected: 99}}, export.Items{Failed: 3}, false, "99 rejected"},
		{"takes all, and remarks something", []reply{{says: "please upgrade"}}, export.Items{Exported: 3}, false, ""},
		{"is busy, then takes all", []reply{{status: 503, code: 14, says: "come again"}, {}}, export.Items{Exported: 3}, false, "come again"},
		{"says when it is not busy", []reply{{status: 429, code: 8, says: "come again", again: true}, {}}, export.Items{Exported: 3}, false, "come again"},
		{"is full for good", []reply{{status: 413, code: 8, says: "too much"}}, export.Items{Failed: 3}, true, "too much"},
		{"refuses for good", []reply{{status: 401, code: 16, says: "who are you"}}, export.Items{Failed: 3}, true, "who are you"},
		{"refuses at length", []reply{{status: 400, code: 3, says: strings.Repeat("no ", 1<<12)}}, export.Items{Failed: 3}, true, "no no"},
		{"refuses, and says that it takes all", []reply{{status: 400, code: 3, says: "partial success: empty message (0 rejected)"}}, export.Items{Failed: 3}, true, "partial"},
		{"hangs up, then takes all", []reply{{hangsUp: true}, {}}, export.Items{Exported: 3}, false, ""},
		{"sends elsewhere", []reply{{status: http.StatusTemporaryRedirect}}, export.Items{Failed: 3}, true, "307"},
		{"takes some, with parameters", []reply{{rejected: 2, says: "too old", kind: "application/x-protobuf; charset=utf-8"}}, export.Items{Exported: 1, Failed: 2}, false, "too old"},
		{"takes some, with a parameter that is none", []reply{{rejected: 2, says: "too old", kind: "application/x-protobuf ; charset"}}, export.Items{Exported: 1, Failed: 2}, false, "too old"},
		{"takes some, in capitals", []reply{{rejected: 2, says: "too old", kind: "Application/X-Protobuf"}}, export.Items{Exported: 1, Failed: 2}, false, "too old"},
		{"takes all, and answers half a message", []reply{{broken: true}}, export.Items{Exported: 3}, false, ""},
		{"takes all, and answers what is no message", []reply{{garbage: true}}, export.Items{Exported: 3}, false, ""},
		{"takes all, and answers a page", []reply{{garbage: true, kind: "text/html"}}, export.Items{Exported: 3}, false, ""},
		{"takes all, and cuts its answer", []reply{{cut: true}}, export.Items{Exported: 3}, false, ""},
		{"takes all, and cuts a page", []reply{{cut: true, kind: "text/html"}}, export.Items{Exported: 3}, false, ""},
	} {
		for signal, of := range signals {
			for _, protocol := range []string{"http/protobuf", "grpc"} {
				t.Run(tt.name+"/"+signal+"/"+protocol, func(t *testing.T) {
					t.Parallel()
					want, wantLog := tt.want, tt.log
					if protocol == "grpc" && tt.replies[0].hangsUp {
						wantLog = "INTERNAL_ERROR" // to end a stream is to say something
					}
					collector := newScripted(t, tt.replies, protocol, map[string]string{"http/protobuf": of.path, "grpc": of.method}[protocol])
					log := newLogged()
					environ := map[string]string{
						"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
						"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none",
					}
					environ["OTEL_"+strings.ToUpper(signal)+"_EXPORTER"] = "otlp"
					pipelines := start(t, environ, log.logger(), io.Discard)
					of.record(t, pipelines)
					if err := pipelines.Shutdown(t.Context()); err != nil && signal != "metrics" {
						t.Error(err)
					}

					status := pipelines.Status()[0]
					if items := status.Items; items != nil {
						want.Capacity = items.Capacity
						if diff := cmp.Diff(&want, items); diff != "" {
							t.Errorf("items (-want +got):\n%s", diff)
						}
					}
					if (status.Error != "") != tt.fails || (status.Delivered != nil) == tt.fails {
						t.Errorf("status is %+v", status)
					}
					if lines := log.String(); !strings.Contains(lines, wantLog) || wantLog == "" && lines != "" || len(lines) > 2000 {
						t.Errorf("log is not about %q:\n%.2000s", wantLog, lines)
					}
				})
			}
		}
	}
}

// newScripted returns the URL of a collector that says one reply after the other, each
// to one export to the path.
func newScripted(t *testing.T, replies []reply, protocol, path string) string {
	script := make(chan reply, len(replies))
	for _, r := range replies {
		script <- r
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != path || len(body) < 5 {
			t.Errorf("unexpected %s %s with %d bytes", r.Method, r.URL, len(body))
		}
		select {
		case reply := <-script:
			switch {
			case reply.hangsUp:
				panic(http.ErrAbortHandler)
			case protocol == "grpc":
				reply.grpc(w)
			default:
				reply.http(w)
			}
		default:
			t.Errorf("one export too many")
		}
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(func() {
		server.Close()
		if left := len(script); left > 0 {
			t.Errorf("%d replies were not asked for", left)
		}
	})
	return server.URL
}
