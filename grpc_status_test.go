package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"spangate/telemetry/otlptest"
)

// answeringCalls answers calls of UnaryCall with a code and nothing else, and counts them.
func answeringCalls(t *testing.T, code codes.Code, trailer ...string) (address string, calls *atomic.Int64) {
	calls = new(atomic.Int64)
	return grpcBackend(t, &grpcService{unary: func(ctx context.Context) error {
		calls.Add(1)
		if err := grpc.SetTrailer(ctx, metadata.Pairs(trailer...)); err != nil {
			return err
		}
		return status.Error(code, "said the backend")
	}}), calls
}

// callThenFail makes a call whose answer has content, and then ends with that code.
func callThenFail(t *testing.T, client grpc_testing.TestServiceClient, code codes.Code) error {
	t.Helper()
	stream, err := client.FullDuplexCall(t.Context())
	if err == nil {
		err = stream.Send(&grpc_testing.StreamingOutputCallRequest{})
	}
	if err == nil {
		_, err = stream.Recv()
	}
	if err == nil {
		err = stream.Send(&grpc_testing.StreamingOutputCallRequest{ResponseStatus: &grpc_testing.EchoStatus{Code: int32(code)}})
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	return err
}

// TestStatusOfGRPC holds how a backend's status is told, which comes without content or
// behind it.
func TestStatusOfGRPC(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code   codes.Code
		name   string
		server string // error.type of the SERVER span; empty: its status is Unset
	}{
		{codes.Canceled, "CANCELLED", ""},
		{codes.Unknown, "UNKNOWN", "UNKNOWN"},
		{codes.InvalidArgument, "INVALID_ARGUMENT", ""},
		{codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"},
		{codes.NotFound, "NOT_FOUND", ""},
		{codes.ResourceExhausted, "RESOURCE_EXHAUSTED", ""},
		{codes.Unimplemented, "UNIMPLEMENTED", "UNIMPLEMENTED"},
		{codes.Internal, "INTERNAL", "INTERNAL"},
		{codes.Unavailable, "UNAVAILABLE", "UNAVAILABLE"},
		{codes.DataLoss, "DATA_LOSS", "DATA_LOSS"},
		{codes.Unauthenticated, "UNAUTHENTICATED", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			backend, _ := answeringCalls(t, test.code)
			p := start(t, "BACKENDS=h2c://"+backend, "PROBE_MODE=off", "ACCESS_LOG=json")
			client := grpcClient(t, p)
			if _, err := client.UnaryCall(t.Context(), payload(0)); status.Code(err) != test.code {
				t.Errorf("the client got %v", err)
			}
			if err := callThenFail(t, client, test.code); status.Code(err) != test.code {
				t.Errorf("the client got %v", err)
			}
			p.stop()
			level, serverTold, attemptTold := "INFO", test.name+" Unset", test.name+" Error "+test.name
			if test.server != "" {
				level, serverTold = "ERROR", test.name+" Error "+test.server
			}
			want := []string{"SERVER " + serverTold, "SERVER " + serverTold, "CLIENT " + attemptTold, "CLIENT " + attemptTold, level, level}
			var got []string
			for _, kind := range []string{"SERVER", "CLIENT"} {
				for _, span := range p.spans(kind) {
					told := fmt.Sprint(kind, " ", span.Attributes["spangate.grpc.status"], " ", span.Status)
					if errorType, ok := span.Attributes["error.type"]; ok {
						told += fmt.Sprint(" ", errorType)
					}
					got = append(got, told)
				}
			}
			for _, line := range p.log.requests(t) {
				got = append(got, fmt.Sprint(line["level"]))
				if line["grpc_status"] != test.name || line["status"] != 200.0 {
					t.Errorf("the access log says %v", line)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			checkSeries(t, p, "http.server.request.duration", 2, map[string]any{"spangate.grpc.status": test.name, "error.type": orNil(test.server)})
			checkSeries(t, p, "http.client.request.duration", 2, map[string]any{"error.type": test.name})
		})
	}
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// checkSeries checks that a metric has one series, of n measurements, with these attributes.
func checkSeries(t *testing.T, p *program, metric string, n int, want map[string]any) {
	t.Helper()
	points := p.points(metric)
	if len(points) != 1 || points[0].Count != uint64(n) {
		t.Errorf("%s has the series %v, want one of %d", metric, points, n)
		return
	}
	for key, value := range want {
		if got := points[0].Attributes[key]; got != value {
			t.Errorf("%s has %s=%v, want %v", metric, key, got, value)
		}
	}
}

// A call that went well is told as such, whose trailer comes last.
func TestStatusOfGRPCThatIsOK(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=h2c://"+grpcBackend(t, &grpcService{}), "PROBE_MODE=off")
	if _, err := grpcClient(t, p).UnaryCall(t.Context(), payload(10)); err != nil {
		t.Fatal(err)
	}
	p.stop()
	p.checkSpans(t, "POST SERVER Unset spangate.grpc.status=OK\n  POST CLIENT Unset spangate.grpc.status=OK\n", "spangate.grpc.status", "error.type")
}

// TestRetriesByStatusOfGRPC makes calls at two backends, the first of which fails.
func TestRetriesByStatusOfGRPC(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		on      string
		trailer []string
		want    codes.Code
		tree    string
	}{
		"a status that is listed": {on: "connect,grpc:unavailable", want: codes.OK, tree: "POST SERVER Unset spangate.grpc.status=OK spangate.attempt.count=2 spangate.retry.stop_reason=success\n" +
			"  POST CLIENT Error error.type=UNAVAILABLE spangate.grpc.status=UNAVAILABLE\n  retry INTERNAL Unset spangate.retry.reason=UNAVAILABLE\n  POST CLIENT Unset spangate.grpc.status=OK link=2\n"},
		"one that is not": {on: "connect,503,grpc:internal", want: codes.Unavailable, tree: "POST SERVER Error error.type=UNAVAILABLE spangate.grpc.status=UNAVAILABLE spangate.attempt.count=1 spangate.retry.stop_reason=success\n" +
			"  POST CLIENT Error error.type=UNAVAILABLE spangate.grpc.status=UNAVAILABLE\n"},
		"a backend that asks for no other": {on: "grpc:unavailable", trailer: []string{"grpc-retry-pushback-ms", "-1"}, want: codes.Unavailable, tree: "POST SERVER Error error.type=UNAVAILABLE spangate.grpc.status=UNAVAILABLE spangate.attempt.count=1 spangate.retry.stop_reason=pushback\n" +
			"  POST CLIENT Error error.type=UNAVAILABLE spangate.grpc.status=UNAVAILABLE\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failing, _ := answeringCalls(t, codes.Unavailable, test.trailer...)
			fit, _ := answeringCalls(t, codes.OK)
			p := start(t, "BACKENDS=h2c://"+failing+",h2c://"+fit, "PROBE_MODE=off", "RETRY_ON="+test.on)
			if _, err := grpcClient(t, p).UnaryCall(t.Context(), payload(100)); status.Code(err) != test.want {
				t.Errorf("the client got %v, want %v", err, test.want)
			}
			p.stop()
			p.checkSpans(t, test.tree, "error.type", "spangate.grpc.status", "spangate.attempt.count", "spangate.retry.stop_reason", "spangate.retry.reason")
		})
	}
}

// A status behind content cannot be tried again, as the client has the content; against
// the backend it counts all the same.
func TestEjectionByStatusOfGRPC(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=h2c://"+grpcBackend(t, &grpcService{}), "PROBE_MODE=off", "RETRY_ON=grpc:data-loss",
		"OUTLIER_ON=grpc:data_loss", "OUTLIER_FAILURES=2", "OUTLIER_MAX_PERCENT=100")
	client := grpcClient(t, p)
	for range 2 {
		if err := callThenFail(t, client, codes.DataLoss); status.Code(err) != codes.DataLoss {
			t.Errorf("the client got %v", err)
		}
	}
	changes := p.collector.WaitSpans(t, func(spans []otlptest.Span) bool {
		for _, span := range spans {
			if span.Name == "backend_state_change" {
				return true
			}
		}
		return false
	})
	p.stop()
	for _, span := range changes {
		if span.Name == "backend_state_change" && (span.Attributes["spangate.backend.state"] != "ejected" || span.Attributes["spangate.backend.error_type"] != "DATA_LOSS") {
			t.Errorf("the backend's state changed: %v", span.Attributes)
		}
	}
	for _, span := range p.spans("SERVER") {
		if span.Attributes["spangate.attempt.count"] != int64(1) {
			t.Errorf("a call took %v attempts", span.Attributes["spangate.attempt.count"])
		}
	}
}

// TestMethodsOfGRPC has metrics name the methods that they are to, and no others.
func TestMethodsOfGRPC(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=h2c://"+grpcBackend(t, &grpcService{})+",echo:a", "PROBE_MODE=off", "RETRY_ATTEMPTS=0",
		"TELEMETRY_GRPC_METHODS=/grpc.testing.TestService/UnaryCall,/grpc.testing.Other/*")
	client := grpcClient(t, p)
	for range 2 { // as every other call comes to a backend that knows nothing of gRPC
		client.UnaryCall(t.Context(), payload(0))
		client.EmptyCall(t.Context(), &grpc_testing.Empty{})
		resp, err := p.send(t.Context(), "GET", "/grpc.testing.TestService/UnaryCall", nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	p.stop()
	got := map[any]uint64{}
	for _, point := range p.points("http.server.request.duration") {
		got[point.Attributes["rpc.method"]] += point.Count
	}
	if diff := cmp.Diff(map[any]uint64{"grpc.testing.TestService/UnaryCall": 2, "_OTHER": 2, nil: 2}, got); diff != "" {
		t.Errorf("calls by method (-want +got):\n%s", diff)
	}
}
