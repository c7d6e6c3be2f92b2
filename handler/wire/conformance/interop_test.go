package conformance

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
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
// the program.
func TestInterop(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(server, interop.NewTestServer())
	go server.Serve(listener)
	defer server.Stop()
	p := startSpangate(t, "BACKENDS=h2c://"+listener.Addr().String())

	started, passed := time.Now(), 0
	for _, name := range interopCases {
		if t.Run("h2c/"+name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			// The client ends its process when something is not as it should be.
			cmd := exec.CommandContext(ctx, interopClient, "--test_case="+name,
				"--server_host=127.0.0.1", "--server_port="+strconv.FormatUint(p.port(), 10))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		}) {
			passed++
		}
	}
	summary.add(t.Name(), passed, len(interopCases)-passed, started)
}
