package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
)

var drains = flag.Int("drains", 2, "how many programs come and go under load in TestDrainsLoseNoRequest")

// No request is lost while one program takes another's place, be it one that must not
// be repeated: what has been sent is answered, by the one that leaves or the next.
func TestDrainsLoseNoRequest(t *testing.T) {
	t.Parallel()
	service := grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(service, &grpcService{})
	backend := h2c(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			service.ServeHTTP(w, r)
			return
		}
		io.Copy(w, r.Body)
	})
	var addr atomic.Pointer[string]
	next := func() *program {
		p := startLimited(t, "true", "BACKENDS="+backend, "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=20s", "OTEL_TRACES_SAMPLER=always_off")
		addr.Store(&p.addr)
		return p
	}
	leaving := next()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", *addr.Load())
	}
	over := func(http2 bool) func(context.Context) error {
		transport := &http.Transport{DialContext: dial, Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!http2)
		transport.Protocols.SetUnencryptedHTTP2(http2)
		t.Cleanup(transport.CloseIdleConnections)
		return func(ctx context.Context) error {
			// net/http cannot repeat a request whose body it cannot get once more.
			r, err := http.NewRequestWithContext(ctx, "POST", "http://x/", struct{ io.Reader }{strings.NewReader("once")})
			if err != nil {
				return err
			}
			resp, err := transport.RoundTrip(r)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if text, err := io.ReadAll(resp.Body); string(text) != "once" || err != nil {
				return fmt.Errorf("%s %q, %v", resp.Status, text, err)
			}
			return nil
		}
	}
	conn, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry(),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx, "", "") }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := grpc_testing.NewTestServiceClient(conn)

	ctx, end := context.WithCancel(t.Context())
	var load sync.WaitGroup
	counts := map[string]*atomic.Int64{}
	for name, send := range map[string]func(context.Context) error{
		"HTTP/1.1": over(false),
		"HTTP/2":   over(true),
		"gRPC": func(ctx context.Context) error {
			_, err := client.UnaryCall(ctx, &grpc_testing.SimpleRequest{})
			return err
		},
	} {
		count := &atomic.Int64{}
		counts[name] = count
		for range 2 {
			load.Go(func() {
				for ctx.Err() == nil {
					if err := send(context.WithoutCancel(ctx)); err != nil {
						t.Errorf("%s, request %d: %v", name, count.Load(), err)
					}
					count.Add(1)
				}
			})
		}
	}
	for range *drains {
		following := next()
		leaving.stop()
		leaving = following
	}
	end()
	load.Wait()
	for name, count := range counts {
		t.Logf("%s: %d requests", name, count.Load())
	}
}
