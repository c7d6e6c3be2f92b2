package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// TestDownAndReturn follows a backend that fails probes, and a request beside the
// first, which asks for the second.
func TestDownAndReturn(t *testing.T) {
	t.Parallel()
	backend := newPrompted(t)
	p := start(t, "PROBE_PATH=/healthz", "PROBE_INTERVAL=10ms", "PROBE_TIMEOUT=1m", "PROBE_FALL=2", "RETRY_ATTEMPTS=0", "BACKENDS="+backend.URL)
	backend.probed(200)
	p.await(`"spangate.backend.state":"ready"`)
	probe := <-backend.probes
	backend.statuses <- 503
	p.once(t.Context(), "GET", "/", nil)
	probe <- 503
	backend.probed(503)
	p.await(`"spangate.backend.state":"down"`)
	backend.probed(200)
	p.await(`"spangate.backend.previous_state":"down"`)
	p.stop()
	p.checkStates(t, "probe INTERNAL Unset spangate.probe.type=http\n"+
		"  GET CLIENT Unset\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=unknown spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=1\n"+
		"probe INTERNAL Error error.type=503 spangate.probe.type=http\n"+
		"  GET CLIENT Error\n"+
		"GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n"+
		"  GET CLIENT Error error.type=503\n"+
		"probe INTERNAL Error error.type=503 spangate.probe.type=http link=7\n"+
		"  GET CLIENT Error\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=ready spangate.backend.state=down spangate.backend.reason=probe_failed link=4 link=7 link=8\n"+
		"probe INTERNAL Unset spangate.probe.type=http\n"+
		"  GET CLIENT Unset\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=down spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=11\n")
}

// TestEjectionEndedByAProbe follows a backend that fails requests and then a
// probe, as one does that is restarted: the first probe that succeeds again
// brings it back. Only the failures in a row have led to its ejection.
func TestEjectionEndedByAProbe(t *testing.T) {
	t.Parallel()
	backend := newPrompted(t)
	p := start(t, "PROBE_PATH=/healthz", "PROBE_INTERVAL=10ms", "PROBE_TIMEOUT=1m", "RETRY_ATTEMPTS=0",
		"OUTLIER_FAILURES=2", "OUTLIER_EJECTION=1h", "OUTLIER_MAX_PERCENT=100", "BACKENDS="+backend.URL)
	backend.probed(200)
	p.await(`"spangate.backend.state":"ready"`)
	probe := <-backend.probes
	for _, status := range []int{503, 200, 503, 503} {
		backend.statuses <- status
		p.once(t.Context(), "GET", "/", nil)
	}
	probe <- 503
	backend.probed(200)
	p.await(`"spangate.backend.previous_state":"ejected"`)
	p.stop()
	p.checkStates(t, "probe INTERNAL Unset spangate.probe.type=http\n"+
		"  GET CLIENT Unset\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=unknown spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=1\n"+
		"probe INTERNAL Error error.type=503 spangate.probe.type=http\n"+
		"  GET CLIENT Error\n"+
		"GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n"+
		"  GET CLIENT Error error.type=503\n"+
		"GET SERVER Unset spangate.retry.stop_reason=success\n"+
		"  GET CLIENT Unset\n"+
		"GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n"+
		"  GET CLIENT Error error.type=503\n"+
		"GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n"+
		"  GET CLIENT Error error.type=503\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=ready spangate.backend.state=ejected spangate.backend.reason=outlier link=11 link=13\n"+
		"probe INTERNAL Unset spangate.probe.type=http link=13\n"+
		"  GET CLIENT Unset\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=ejected spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=15\n")
}

// TestRequestTimeoutIsNoSuccess checks that a request that ran out of time says
// nothing about its backend, but asks a probe to.
func TestRequestTimeoutIsNoSuccess(t *testing.T) {
	t.Parallel()
	backend := newPrompted(t)
	p := start(t, "PROBE_PATH=/healthz", "PROBE_INTERVAL=1h", "PROBE_TIMEOUT=1m", "RETRY_ATTEMPTS=0", "REQUEST_TIMEOUT=1s",
		"OUTLIER_FAILURES=2", "OUTLIER_MAX_PERCENT=100", "TRACE_PROBES=failed", "BACKENDS="+backend.URL)
	backend.probed(200)
	p.await(`"spangate.backend.state":"ready"`)
	p.once(t.Context(), "GET", "/hang", nil)
	backend.probed(200)
	for _, path := range []string{"/", "/hang", "/"} {
		if path == "/" {
			backend.statuses <- 503
		}
		p.once(t.Context(), "GET", path, nil)
	}
	backend.probed(200) // so that none is under way at the end
	p.stop()
	p.checkStates(t, "probe INTERNAL Unset spangate.probe.type=http\n"+
		"  GET CLIENT Unset\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=unknown spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=1\n"+
		"GET SERVER Error error.type=timeout spangate.retry.stop_reason=deadline\n"+
		"  GET CLIENT Error error.type=timeout\n"+
		"GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n"+
		"  GET CLIENT Error error.type=503\n"+
		"GET SERVER Error error.type=timeout spangate.retry.stop_reason=deadline\n"+
		"  GET CLIENT Error error.type=timeout\n"+
		"GET SERVER Error error.type=503 spangate.retry.stop_reason=max_attempts\n"+
		"  GET CLIENT Error error.type=503\n"+
		"backend_state_change INTERNAL Unset spangate.backend.previous_state=ready spangate.backend.state=ejected spangate.backend.reason=outlier link=7 link=11\n")
}

// TestHealthOfGRPCServers follows two servers of gRPC that say themselves
// whether they serve, and calls through the program to them.
func TestHealthOfGRPCServers(t *testing.T) {
	t.Parallel()
	const serving, not = grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING
	backends, services := map[string]string{}, map[string]*health.Server{}
	for _, name := range []string{"a", "b"} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, call any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			grpc.SetHeader(ctx, metadata.Pairs("name", name))
			return next(ctx, call)
		}))
		services[name] = health.NewServer()
		services[name].SetServingStatus("called", serving)
		grpc_health_v1.RegisterHealthServer(server, services[name])
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			server.Serve(ln)
		}()
		t.Cleanup(func() { server.Stop(); <-ended })
		backends[name] = "h2c://" + ln.Addr().String()
	}
	p := start(t, "PROBE_TYPE=grpc", "PROBE_INTERVAL=10ms", "BACKENDS="+backends["a"]+","+backends["b"])
	changes := func(name, from, to string) {
		p.await(fmt.Sprintf(`"spangate.backend":%q,"spangate.backend.state":%q,"spangate.backend.previous_state":%q`, backends[name], to, from))
	}
	conn, err := grpc.NewClient("passthrough:///"+p.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// answered checks who answers several calls, or with what code they fail.
	answered := func(want ...string) {
		t.Helper()
		var got []string
		for range 4 {
			var header metadata.MD
			answer, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "called"}, grpc.Header(&header))
			switch {
			case err != nil:
				got = append(got, status.Code(err).String())
			case answer.GetStatus() != serving:
				t.Errorf("answer %v", answer)
			default:
				got = append(got, header.Get("name")...)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("answered by (-want +got):\n%s", diff)
		}
	}

	changes("a", "unknown", "ready")
	changes("b", "unknown", "ready")
	answered("a", "b")
	services["a"].SetServingStatus("", not)
	changes("a", "ready", "down")
	answered("b")
	services["b"].SetServingStatus("", not)
	changes("b", "ready", "down")
	answered(codes.Unavailable.String())
	services["a"].SetServingStatus("", serving)
	changes("a", "down", "ready")
	answered("a")
	conn.Close()
	p.stop()

	said := map[string]any{} // by span
	for _, span := range p.collector.Spans() {
		if span.Name == "probe" {
			said[span.SpanID] = fmt.Sprint(span.Attributes["spangate.probe.type"], " ", span.Attributes["error.type"])
		}
	}
	var causes []any
	for _, span := range p.collector.Spans() {
		if span.Name == "backend_state_change" && span.Attributes["spangate.backend.state"] == "down" {
			for _, link := range span.Links {
				causes = append(causes, said[link.SpanID])
			}
		}
	}
	if diff := cmp.Diff([]any{"grpc not_serving"}, slices.Compact(causes)); diff != "" {
		t.Errorf("probes that led to down (-want +got):\n%s", diff)
	}
}
