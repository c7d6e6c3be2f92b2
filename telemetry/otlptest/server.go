// Package otlptest answers what a program sent as telemetry: a collector for
// tests, as net/http/httptest is a server for them.
//
// It receives real OTLP over http/protobuf and grpc on loopback, and keeps all
// of it. What it keeps is returned as plain values that cmp.Diff compares.
package otlptest

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // lets clients compress
)

// Server is a collector. All its methods may be called concurrently.
type Server struct {
	http, grpc string // addresses

	mu       sync.Mutex
	arrived  chan struct{} // closed and replaced at each arrival
	spans    []Span
	series   map[string]series
	logs     []Log
	requests []Request
}

// Request is one export as it came in, for tests of what exporters are told to
// send.
type Request struct {
	Signal      string // traces, metrics or logs
	Protocol    string // http/protobuf or grpc
	Compression string // as the client named it; empty: none
	Header      http.Header
}

// NewServer starts both receivers. They are closed when the test has ended.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s, httpListener, grpcListener := newServer(t)
	s.serve(t, httpListener, grpcListener) // which were never closed: nobody else can get the ports
	return s
}

// NewUnstartedServer returns a collector at whose addresses connections are
// refused until Start.
func NewUnstartedServer(t testing.TB) *Server {
	t.Helper()
	s, httpListener, grpcListener := newServer(t)
	httpListener.Close()
	grpcListener.Close()
	return s
}

func newServer(t testing.TB) (s *Server, httpListener, grpcListener net.Listener) {
	t.Helper()
	httpListener, grpcListener = listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	return &Server{
		arrived: make(chan struct{}), series: map[string]series{},
		http: httpListener.Addr().String(), grpc: grpcListener.Addr().String(),
	}, httpListener, grpcListener
}

// Start starts both receivers. They are closed when the test has ended.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.serve(t, listen(t, s.http), listen(t, s.grpc))
}

func (s *Server) serve(t testing.TB, httpListener, grpcListener net.Listener) {
	httpServer := &http.Server{Handler: s.handler()}
	grpcServer := grpc.NewServer(grpc.StatsHandler(grpcRequests{s}))
	s.register(grpcServer)

	var running sync.WaitGroup
	running.Go(func() { httpServer.Serve(httpListener) })
	running.Go(func() { grpcServer.Serve(grpcListener) })
	t.Cleanup(func() {
		httpServer.Close()
		grpcServer.Stop()
		running.Wait()
	})
}

func listen(t testing.TB, addr string) net.Listener {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatalf("otlptest: %v", err)
	}
	return ln
}

// URL is the endpoint for http/protobuf, such as http://127.0.0.1:41234.
func (s *Server) URL() string { return "http://" + s.http }

// GRPCURL is the endpoint for grpc, such as http://127.0.0.1:41235.
func (s *Server) GRPCURL() string { return "http://" + s.grpc }

// Spans returns the spans in the order in which they came.
func (s *Server) Spans() []Span { return read(s, s.copySpans) }

// Metrics returns the latest value of each series, sorted by name.
func (s *Server) Metrics() []Metric { return read(s, s.sortedMetrics) }

// Logs returns the log records in the order in which they came.
func (s *Server) Logs() []Log { return read(s, func() []Log { return slices.Clone(s.logs) }) }

// Requests returns the exports in the order in which they came.
func (s *Server) Requests() []Request {
	return read(s, func() []Request { return slices.Clone(s.requests) })
}

// WaitSpans blocks until ok accepts the spans that came so far, and returns
// them. It fails the test when that does not happen in half a minute.
func (s *Server) WaitSpans(t testing.TB, ok func([]Span) bool) []Span {
	t.Helper()
	return wait(t, s, "spans", s.copySpans, ok)
}

// WaitMetrics is WaitSpans for metrics.
func (s *Server) WaitMetrics(t testing.TB, ok func([]Metric) bool) []Metric {
	t.Helper()
	return wait(t, s, "metrics", s.sortedMetrics, ok)
}

// WaitLogs is WaitSpans for log records.
func (s *Server) WaitLogs(t testing.TB, ok func([]Log) bool) []Log {
	t.Helper()
	return wait(t, s, "log records", func() []Log { return slices.Clone(s.logs) }, ok)
}

func (s *Server) copySpans() []Span { return slices.Clone(s.spans) }

// add runs f on what is kept and wakes those who wait.
func (s *Server) add(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.arrived)
	s.arrived = make(chan struct{})
}

func read[T any](s *Server, get func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return get()
}

const patience = 30 * time.Second

func wait[T any](t testing.TB, s *Server, what string, get func() []T, ok func([]T) bool) []T {
	t.Helper()
	tooLong := time.NewTimer(patience)
	defer tooLong.Stop()
	for {
		s.mu.Lock()
		have, arrived := get(), s.arrived
		s.mu.Unlock()
		if ok(have) {
			return have
		}
		select {
		case <-arrived:
		case <-tooLong.C:
			t.Fatalf("otlptest: the %s that were waited for did not come; have %d: %+v", what, len(have), have)
		case <-t.Context().Done():
			t.Fatalf("otlptest: waiting for %s: %v", what, t.Context().Err())
		}
	}
}
