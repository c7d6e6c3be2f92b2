package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"spangate/handler/config"
	"spangate/handler/wire/wiretest"
)

// TestAStartThatFailsLeavesNothing starts the program fifty times in each way in
// which it ends early, and looks for goroutines that nobody waited for. It is not
// parallel: it counts those of the process.
func TestAStartThatFailsLeavesNothing(t *testing.T) {
	everything := []string{
		"BACKENDS=echo:a,echo:b,dns+http://backends.test:80", "RATE_LIMIT=1/s", "MAX_CONCURRENT_REQUESTS=1",
		"AUTH_JWT_JWKS_URL=https://127.0.0.1:1/keys", "AUTH_JWT_ISSUER=https://issuer.test", "AUTH_JWT_AUDIENCE=me",
		"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "SHUTDOWN_TIMEOUT=100ms",
	}
	for name, test := range map[string]struct {
		environ []string
		fault   bool // of the configuration
	}{
		"the port is in use":                          {[]string{"PORT=" + takenPort(t)}, false},
		"the port of the own endpoints is in use":     {[]string{"ADMIN_PORT=" + takenPort(t)}, false},
		"the address is not of this host":             {[]string{"HOST=192.0.2.1"}, false},
		"the collector's certificate cannot be read":  {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://127.0.0.1:1", "OTEL_EXPORTER_OTLP_CERTIFICATE=/nowhere.pem"}, true},
		"the backends' authorities cannot be read":    {[]string{"BACKENDS=https://a", "BACKEND_CA_FILE=/nowhere.pem"}, true},
		"the store's certificate cannot be read":      {[]string{"RATE_LIMIT_REDIS_URL=rediss://127.0.0.1:1", "RATE_LIMIT_REDIS_CA_FILE=/nowhere.pem"}, true},
		"a secret cannot be read":                     {[]string{"AUTH_API_KEYS_FILE=/nowhere"}, true},
		"the shutdown is longer than it may be":       {[]string{"SHUTDOWN_DELAY=1m"}, true},
		"it is told to end before it has begun":       {nil, false},
		"it is told to end, with ports of both kinds": {[]string{"ADMIN_PORT=" + wiretest.FreePort(t)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			leavesNothing(t, func() {
				ctx, cancel := context.WithCancel(t.Context())
				cancel() // a start that does not fail ends at once
				err := run(ctx, append(append([]string{"HOST=127.0.0.1", "PORT=0"}, everything...), test.environ...), io.Discard)
				if _, fault := errors.AsType[config.Faults](err); fault != test.fault {
					t.Fatalf("the start ended with %v, want a fault: %v", err, test.fault)
				}
			})
		})
	}
}

// leavesNothing starts the program fifty times.
func leavesNothing(t *testing.T, start func()) {
	t.Helper()
	before := runtime.NumGoroutine()
	for range 50 {
		start()
	}
	// A goroutine that has told that it ends may still be about to.
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines are left:\n%s", runtime.NumGoroutine()-before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// few says that this process is one of its own, which has few descriptors.
const few = "SPANGATE_TEST_FEW_DESCRIPTORS"

// TestAStartWithoutDescriptorsLeavesNothing starts the program where telemetry has
// begun, and then not all demonstration backends can listen.
func TestAStartWithoutDescriptorsLeavesNothing(t *testing.T) {
	if os.Getenv(few) == "" {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -n 32 && exec "$0" -test.run "^TestAStartWithoutDescriptorsLeavesNothing$"`, os.Args[0])
		cmd.Env = append(os.Environ(), few+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	var backends []string
	for i := range 40 {
		backends = append(backends, fmt.Sprint("echo:", i))
	}
	leavesNothing(t, func() {
		err := run(t.Context(), []string{
			"HOST=127.0.0.1", "PORT=0", "BACKENDS=" + strings.Join(backends, ","), "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "SHUTDOWN_TIMEOUT=100ms",
		}, io.Discard)
		if !errors.Is(err, syscall.EMFILE) {
			t.Fatalf("the start ended with %v, want too few descriptors", err)
		}
	})
}
