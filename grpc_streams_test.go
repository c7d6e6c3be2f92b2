package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"spangate/handler/certificate/certtest"
	"spangate/handler/wire/wiretest"
)

// StreamingOutputCall answers each size asked for with a message of it.
func (s *grpcService) StreamingOutputCall(r *grpc_testing.StreamingOutputCallRequest, stream grpc_testing.TestService_StreamingOutputCallServer) error {
	for _, p := range r.GetResponseParameters() {
		if err := stream.Send(&grpc_testing.StreamingOutputCallResponse{Payload: &grpc_testing.Payload{Body: make([]byte, p.GetSize())}}); err != nil {
			return err
		}
	}
	stream.SetTrailer(metadata.Pairs("t-bin", "\x00\xff"))
	return nil
}

// StreamingInputCall answers with the size of all that was sent.
func (s *grpcService) StreamingInputCall(stream grpc_testing.TestService_StreamingInputCallServer) error {
	size := 0
	for {
		r, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&grpc_testing.StreamingInputCallResponse{AggregatedPayloadSize: int32(size)})
		}
		if err != nil {
			return err
		}
		size += len(r.GetPayload().GetBody())
	}
}

// TestGRPCStreams makes all kinds of calls through the proxy, to backends in the
// clear and over TLS.
func TestGRPCStreams(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	began, gone := make(chan bool, 1), make(chan error, 1)
	service := &grpcService{unary: func(ctx context.Context) error {
		if in, _ := metadata.FromIncomingContext(ctx); in.Get("fail") != nil {
			if message := in.Get("fail")[0]; message != "1" {
				return status.Error(codes.Code(400), message)
			}
			return status.Error(codes.NotFound, "no “such” thing, 100 %")
		}
		if in, _ := metadata.FromIncomingContext(ctx); in.Get("hang") != nil {
			began <- true
			<-ctx.Done()
			gone <- ctx.Err()
		}
		return nil
	}}
	for name, environ := range map[string][]string{
		"h2c":   {"BACKENDS=h2c://" + grpcBackend(t, service)},
		"https": {"BACKENDS=https://" + grpcBackend(t, service, grpc.Creds(credentials.NewServerTLSFromCert(&pair))), "BACKEND_CA_FILE=" + ca.File},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, append(environ, "PROBE_MODE=off", "MAX_HEADER_BYTES=128KiB")...)
			client := grpcClient(t, p)
			ctx := t.Context()

			if r, err := client.UnaryCall(ctx, payload(1<<20)); err != nil || len(r.Payload.Body) != 1<<20 {
				t.Errorf("unary: %d bytes, %v", len(r.GetPayload().GetBody()), err)
			}

			var trailer metadata.MD
			out, err := client.StreamingOutputCall(ctx, &grpc_testing.StreamingOutputCallRequest{ResponseParameters: []*grpc_testing.ResponseParameters{{Size: 0}, {Size: 70_000}, {Size: 1}}})
			if err != nil {
				t.Fatal(err)
			}
			var sizes []int
			for {
				r, err := out.Recv()
				if err == io.EOF {
					trailer = out.Trailer()
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				sizes = append(sizes, len(r.Payload.Body))
			}
			if diff := cmp.Diff([]any{[]int{0, 70_000, 1}, []string{"\x00\xff"}}, []any{sizes, trailer.Get("t-bin")}); diff != "" {
				t.Errorf("from the server (-want +got):\n%s", diff)
			}

			in, err := client.StreamingInputCall(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if err := in.Send(&grpc_testing.StreamingInputCallRequest{Payload: payload(50_000).Payload}); err != nil {
					t.Fatal(err)
				}
			}
			if r, err := in.CloseAndRecv(); err != nil || r.AggregatedPayloadSize != 150_000 {
				t.Errorf("from the client: %v, %v", r, err)
			}

			both, err := client.FullDuplexCall(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 { // each waits for the answer to the one before
				both.Send(&grpc_testing.StreamingOutputCallRequest{Payload: payload(i).Payload})
				if r, err := both.Recv(); err != nil || len(r.Payload.Body) != i {
					t.Fatalf("both ways: %v, %v", r, err)
				}
			}
			// The server ends while the client has more to say.
			both.Send(&grpc_testing.StreamingOutputCallRequest{ResponseStatus: &grpc_testing.EchoStatus{Code: int32(codes.OutOfRange), Message: "enough"}})
			if _, err := both.Recv(); status.Code(err) != codes.OutOfRange {
				t.Errorf("an early end: %v", err)
			}

			_, err = client.UnaryCall(metadata.AppendToOutgoingContext(ctx, "fail", "1"), payload(0)) // trailers only
			if got := status.Convert(err); got.Code() != codes.NotFound || got.Message() != "no “such” thing, 100 %" {
				t.Errorf("trailers only: %v", err)
			}
			long := strings.Repeat("long ", 8<<10)
			if _, err := client.UnaryCall(metadata.AppendToOutgoingContext(ctx, "fail", long), payload(0)); status.Convert(err).Message() != long {
				t.Errorf("a long message: %.200v", err)
			}
			if _, err := client.UnimplementedCall(ctx, &grpc_testing.Empty{}); status.Code(err) != codes.Unimplemented {
				t.Errorf("no such method: %v", err)
			}

			canceled, cancel := context.WithCancel(metadata.AppendToOutgoingContext(ctx, "hang", "1"))
			go func() {
				<-began
				cancel()
			}()
			if _, err := client.UnaryCall(canceled, payload(0)); status.Code(err) != codes.Canceled {
				t.Errorf("a call that is cancelled: %v", err)
			}
			if err := <-gone; err != context.Canceled {
				t.Errorf("the server's end of it: %v", err)
			}
			p.stop()
			seen := map[any]int{}
			for _, s := range p.spans("SERVER") {
				seen[fmt.Sprint(s.Attributes["spangate.grpc.status"], " ", s.Attributes["error.type"], " ", s.Status)]++
			}
			if diff := cmp.Diff(map[any]int{
				"OK <nil> Unset": 3, "OUT_OF_RANGE <nil> Unset": 1, "NOT_FOUND <nil> Unset": 1, "UNIMPLEMENTED UNIMPLEMENTED Error": 1, "UNKNOWN UNKNOWN Error": 1,
				"<nil> client_disconnected Error": 1,
			}, seen); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
		})
	}
}

// TestGRPCWeb checks that what browsers speak passes, and that failures are told
// them in the header.
func TestGRPCWeb(t *testing.T) {
	t.Parallel()
	const body = "\x00\x00\x00\x00\x02hi\x80\x00\x00\x00\x0fgrpc-status: 0\r\n"
	for _, kind := range []string{"application/grpc-web+proto", "application/grpc-web-text+proto"} {
		want := body
		if strings.Contains(kind, "text") {
			want = base64.StdEncoding.EncodeToString([]byte(body))
		}
		backend := h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
			sent, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
			w.Write(bytes.TrimSuffix(sent, []byte("?")))
		})
		for _, http2 := range []bool{false, true} {
			p := start(t, "BACKENDS=h2c://"+backend, "RATE_LIMIT=1/h", "CORS_ALLOWED_ORIGINS=https://page.test", "CORS_EXPOSED_HEADERS=grpc-status,grpc-message")
			ask := func() (*http.Response, string) {
				resp, err := wiretest.Client(t, http2).Do(p.newRequest(t.Context(), "POST", "/a.B/C", strings.NewReader(want+"?"), "Content-Type: "+kind, "X-Grpc-Web: 1", "Origin: https://page.test"))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				got, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				return resp, string(got)
			}
			if resp, got := ask(); resp.StatusCode != 200 || got != want {
				t.Errorf("%s, http2=%v: %s %q", kind, http2, resp.Status, got)
			}
			resp, got := ask()
			told := []string{resp.Status, resp.Header.Get("Content-Type"), resp.Header.Get("Grpc-Status"), resp.Header.Get("Access-Control-Allow-Origin"), resp.Header.Get("Access-Control-Expose-Headers"), got}
			if diff := cmp.Diff([]string{"200 OK", kind, "8", "https://page.test", "grpc-status,grpc-message", ""}, told); diff != "" {
				t.Errorf("%s, http2=%v, refused (-want +got):\n%s", kind, http2, diff)
			}
		}
	}
}
