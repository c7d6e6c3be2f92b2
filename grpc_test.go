package main

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"spangate/handler/wire/wiretest"
)

// grpcService answers calls of gRPC. What UnaryCall does the test says.
type grpcService struct {
	grpc_testing.UnimplementedTestServiceServer
	unary func(ctx context.Context) error
}

func (s *grpcService) UnaryCall(ctx context.Context, r *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	if s.unary != nil {
		if err := s.unary(ctx); err != nil {
			return nil, err
		}
	}
	return &grpc_testing.SimpleResponse{Payload: r.GetPayload()}, nil
}

// grpcBackend returns the address of a server of grpc-go.
func grpcBackend(t *testing.T, service grpc_testing.TestServiceServer, options ...grpc.ServerOption) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	grpc_testing.RegisterTestServiceServer(server, service)
	go server.Serve(ln)
	t.Cleanup(server.Stop)
	return ln.Addr().String()
}

// grpcClient returns a client of grpc-go that calls through p.
func grpcClient(t *testing.T, p *program) grpc_testing.TestServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+p.addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return grpc_testing.NewTestServiceClient(conn)
}

func payload(size int) *grpc_testing.SimpleRequest {
	return &grpc_testing.SimpleRequest{Payload: &grpc_testing.Payload{Body: make([]byte, size)}}
}

// TestGRPCFailures checks that a client of gRPC is told of whatever the proxy
// answers by itself as a server of gRPC would tell it, and that telemetry still
// tells it from a call that went well.
func TestGRPCFailures(t *testing.T) {
	t.Parallel()
	h2c := "BACKENDS=h2c://" + grpcBackend(t, &grpcService{})
	for name, test := range map[string]struct {
		environ []string
		calls   int                         // the last of which fails; 0: one
		request *grpc_testing.SimpleRequest // nil: an empty one
		send    []string                    // metadata
		want    string                      // code: message
		header  map[string]string           // of the answer
		line    map[string]any              // of the access log
		error   string                      // error.type of span and metric
	}{
		"nobody listens": {
			environ: []string{"BACKENDS=h2c://127.0.0.1:" + wiretest.FreePort(t), "RETRY_ATTEMPTS=0"},
			want:    "Unavailable: The server behind the gateway gave no valid answer.",
			line:    map[string]any{"level": "ERROR", "grpc_status": "UNAVAILABLE", "error_type": "connection_refused"},
			error:   "connection_refused",
		},
		"an answer that takes too long": {
			environ: []string{"BACKENDS=h2c://" + grpcBackend(t, &grpcService{unary: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}), "REQUEST_TIMEOUT=50ms"},
			want:    "DeadlineExceeded: The server behind the gateway did not answer in time.",
			line:    map[string]any{"level": "ERROR", "grpc_status": "DEADLINE_EXCEEDED", "error_type": "timeout"},
			error:   "timeout",
		},
		"too many requests": {
			environ: []string{h2c, "RATE_LIMIT=1/h"}, calls: 2,
			want:   "ResourceExhausted: There were more requests than are let in; Retry-After says when the next one may come.",
			header: map[string]string{"retry-after": "3600", "ratelimit-policy": `"1/h";q=1;w=3600`},
			line:   map[string]any{"level": "WARN", "grpc_status": "RESOURCE_EXHAUSTED", "policy": "rate_limit", "reason": "limited"},
		},
		"no credentials": {
			environ: []string{h2c, "AUTH_API_KEYS=ops:0123456789abcdef0123456789abcdef"},
			want:    "Unauthenticated: Credentials are required.",
			header:  map[string]string{"www-authenticate": `ApiKey realm="spangate", header="X-Api-Key"`},
			line:    map[string]any{"level": "INFO", "grpc_status": "UNAUTHENTICATED", "policy": "auth", "reason": "missing"},
		},
		"an address that is denied": {
			environ: []string{h2c, "DENY_CIDRS=127.0.0.0/8"},
			want:    "PermissionDenied: Requests from this address are not accepted.",
			line:    map[string]any{"level": "INFO", "grpc_status": "PERMISSION_DENIED", "policy": "access", "reason": "denied"},
		},
		"a message that is too large": {
			environ: []string{h2c, "MAX_REQUEST_BODY=1KiB"}, request: payload(2000),
			want: "ResourceExhausted: The request's body is larger than is accepted here.",
			line: map[string]any{"level": "INFO", "grpc_status": "RESOURCE_EXHAUSTED", "policy": "body", "reason": "too_large", "error_type": "body_too_large"},
		},
		"too many fields": {
			environ: []string{h2c, "MAX_HEADERS=10"}, send: strings.Split(strings.Repeat("x-more 1 ", 10), " ")[:20],
			want: "ResourceExhausted: The header has 14 fields, of which 10 are accepted.",
			line: map[string]any{"level": "INFO", "grpc_status": "RESOURCE_EXHAUSTED"},
		},
		"an expectation": {
			environ: []string{h2c}, send: []string{"expect", "the-unexpected"},
			want: "Unknown: Nothing but 100-continue can be expected.",
			line: map[string]any{"level": "INFO", "grpc_status": "UNKNOWN"},
		},
		"no turn": {
			environ: []string{h2c, "MAX_CONCURRENT_REQUESTS=1", "MAX_QUEUE=0"}, calls: -1,
			want:   "Unavailable: Too many requests are being handled at the moment.",
			header: map[string]string{"retry-after": "1"},
			line:   map[string]any{"level": "ERROR", "grpc_status": "UNAVAILABLE", "policy": "concurrency", "reason": "queue_full", "error_type": "overloaded"},
			error:  "overloaded",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append(test.environ, "ACCESS_LOG=json")...)
			client := grpcClient(t, p)
			ctx := metadata.AppendToOutgoingContext(t.Context(), test.send...)
			if test.calls < 0 { // another one is in the way
				busy := startCall(t, client)
				defer busy()
			}
			for range test.calls - 1 {
				if _, err := client.UnaryCall(ctx, payload(0)); err != nil {
					t.Fatal(err)
				}
			}
			request := test.request
			if request == nil {
				request = payload(0)
			}
			var header metadata.MD
			_, err := client.UnaryCall(ctx, request, grpc.Header(&header), grpc.Trailer(&header))
			message, _, traced := strings.Cut(status.Convert(err).Message(), " (trace ")
			if got := status.Code(err).String() + ": " + message; got != test.want || !traced {
				t.Errorf("%s, with a trace: %v; want %s", got, traced, test.want)
			}
			for name, want := range test.header {
				if got := strings.Join(header[name], "|"); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			p.toldOfFailure(t, test.line, test.error)
		})
	}
}

// startCall returns when client has a call under way, which lasts until the
// returned function is called.
func startCall(t *testing.T, client grpc_testing.TestServiceClient) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := client.FullDuplexCall(ctx)
	if err == nil {
		err = stream.Send(&grpc_testing.StreamingOutputCallRequest{})
	}
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		t.Fatal(err)
	}
	return cancel
}

// toldOfFailure checks what log, span and metric say of the request that failed.
func (p *program) toldOfFailure(t *testing.T, line map[string]any, errorType string) {
	t.Helper()
	grpcStatus := line["grpc_status"]
	p.stop()
	var said []map[string]any
	for _, got := range p.log.requests(t) {
		if got["grpc_status"] != grpcStatus {
			continue
		}
		if got["status"] != 200.0 {
			t.Errorf("the log says status %v", got["status"])
		}
		for name := range got {
			if name != "level" && name != "grpc_status" && name != "policy" && name != "reason" && name != "error_type" {
				delete(got, name)
			}
		}
		said = append(said, got)
	}
	if diff := cmp.Diff([]map[string]any{line}, said); diff != "" {
		t.Errorf("access log (-want +got):\n%s", diff)
	}
	want := map[string]any{"http.response.status_code": int64(200), "spangate.grpc.status": grpcStatus, "Status": "Unset"}
	if errorType != "" {
		want["error.type"], want["Status"] = errorType, "Error"
	}
	for _, s := range p.spans("SERVER") {
		if s.Attributes["spangate.grpc.status"] != grpcStatus {
			continue
		}
		got := map[string]any{"Status": s.Status}
		for _, name := range []string{"http.response.status_code", "spangate.grpc.status", "error.type"} {
			if value, ok := s.Attributes[name]; ok {
				got[name] = value
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("span (-want +got):\n%s", diff)
		}
	}
	delete(want, "Status")
	found := false
	for _, point := range p.points("http.server.request.duration") {
		found = found || point.Attributes["spangate.grpc.status"] == grpcStatus && point.Attributes["error.type"] == want["error.type"] && point.Attributes["http.response.status_code"] == int64(200)
	}
	if !found {
		t.Errorf("no series of http.server.request.duration has %v", want)
	}
}

func (s *grpcService) FullDuplexCall(stream grpc_testing.TestService_FullDuplexCallServer) error {
	for {
		r, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if r.GetResponseStatus() != nil {
			return status.Error(codes.Code(r.ResponseStatus.Code), r.ResponseStatus.Message)
		}
		if err := stream.Send(&grpc_testing.StreamingOutputCallResponse{Payload: r.GetPayload()}); err != nil {
			return err
		}
	}
}
