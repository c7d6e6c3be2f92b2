package conformance

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/interop"
	"google.golang.org/grpc/interop/grpc_testing"
)

// interopCases are all of grpc-go's but those that are for a load balancer
// (orca_*), for clients of several servers (pick_first_unary, which its server
// does not answer) and for Google's credentials.
var interopCases = []string{
	"empty_unary",
	"large_unary",
	"client_streaming",
	"server_streaming",
	"ping_pong",
	"empty_stream",
	"timeout_on_sleeping_server",
	"cancel_after_begin",
	"cancel_after_first_response",
	"status_code_and_message",
	"special_status_message",
	"custom_metadata",
	"unimplemented_method",
	"unimplemented_service",
	"rpc_soak",
	"channel_soak",
}

// TestInterop lets gRPC's interoperability client talk to its server through
// the program, on both sides in the clear and on both over TLS.
func TestInterop(t *testing.T) {
	certificate, key := certificateFiles(t)
	tls, err := credentials.NewServerTLSFromFile(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, scheme string
		server       []grpc.ServerOption
		env, client  []string
	}{
		{name: "h2c", scheme: "h2c"},
		{
			name:   "TLS",
			scheme: "https",
			server: []grpc.ServerOption{grpc.Creds(tls)},
			env:    []string{"TLS_CERT_FILE=" + certificate, "TLS_KEY_FILE=" + key, "BACKEND_CA_FILE=" + certificate},
			client: []string{"--use_tls", "--use_test_ca", "--ca_file=" + certificate},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := grpc.NewServer(test.server...)
			grpc_testing.RegisterTestServiceServer(server, interop.NewTestServer())
			go server.Serve(listener)
			defer server.Stop()
			p := startSpangate(t, append(test.env, "BACKENDS="+test.scheme+"://"+listener.Addr().String())...)
			args := append(test.client, "--server_host=127.0.0.1", "--server_port="+strconv.FormatUint(p.port(), 10))

			started, passed := time.Now(), 0
			for _, name := range interopCases {
				if t.Run(name, func(t *testing.T) { runInterop(t, append(args, "--test_case="+name)) }) {
					passed++
				}
			}
			summary.add(t.Name(), passed, len(interopCases)-passed, started)
		})
	}
}

// runInterop runs the client, which ends its process when something is not as
// it should be.
func runInterop(t *testing.T, args []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, interopClient, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
