// Package conformance answers whether what clients and backends say to one
// another means the same with the proxy between them. Suites that others wrote
// ask it of the program itself, which is built from this tree and runs as a
// process of its own: Connect's conformance runner, gRPC's interoperability
// client and h2spec.
//
// It is a module of its own, so that the suites stay out of the program's go.mod.
package conformance

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The programs that the tests run, by path.
var (
	spangate           string
	connectconformance string
	referenceClient    string
	referenceServer    string
	interopClient      string
)

func TestMain(m *testing.M) {
	if party := parties[os.Getenv(partyVariable)]; party != nil {
		spangate = os.Getenv(spangateVariable)
		if err := party(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "spangate")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	summary.print()
	return code
}

// build makes the program, as just build does, and the suites' programs, which
// go tool keeps in its cache.
func build(dir string) error {
	spangate = filepath.Join(dir, "spangate")
	program := exec.Command("go", "build", "-o", spangate, "-buildvcs=false",
		"-trimpath", "-ldflags=-s -w", ".")
	program.Dir = "../../.."
	program.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := program.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", program, err, out)
	}
	for path, tool := range map[*string]string{
		&connectconformance: "connectrpc.com/conformance/cmd/connectconformance",
		&referenceClient:    "connectrpc.com/conformance/cmd/referenceclient",
		&referenceServer:    "connectrpc.com/conformance/cmd/referenceserver",
		&interopClient:      "google.golang.org/grpc/interop/client",
	} {
		out, err := exec.Command("go", "tool", "-n", tool).Output()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		if err != nil {
			return fmt.Errorf("go tool -n %s: %w", tool, err)
		}
		*path = strings.TrimSpace(string(out))
	}
	return nil
}

// summary has a line for each run of a suite.
var summary lines

type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) add(run string, passed, failed int, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.text, "%-40s %5d passed %4d failed %6.1fs\n", run, passed, failed, time.Since(since).Seconds())
}

func (l *lines) print() {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Print(l.text.String())
}
