package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) {
	if role, ok := roleOf(os.Args); ok {
		if err := role(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// Each trial, so briefly that its figures mean nothing.
func TestRun(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	var out, progress strings.Builder
	args := []string{"-rounds=1", "-seconds=0.1", "-caddy=false", "-trials=main,bodies,https,h2,h2c,handshakes,websocket,routes"}
	if err := run(t.Context(), args, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	for _, row := range []string{
		"httputil.ReverseProxy", "Spangate, telemetry disabled", "Spangate, 1 % traced", "Spangate, all traced", "Spangate, all traced, rate limit",
		"1 MiB bodies: throughput", "HTTP/1.1 over TLS: CPU", "HTTP/2 over TLS: CPU", "HTTP/2 in the clear: CPU", "full TLS handshake", "WebSocket", "Spangate, routes: 0", "Spangate, routes: 1 ", "Spangate, routes: 100",
	} {
		if !strings.Contains(out.String(), "\n| "+row) {
			t.Errorf("there is no row for %s", row)
		}
	}
	if want := "`just bench " + strings.Join(args, " ") + "`"; !strings.Contains(out.String(), want) {
		t.Errorf("it does not say %s", want)
	}
	if t.Failed() {
		t.Log(out.String())
	}
	if left, _ := filepath.Glob(filepath.Join(temporary, "bench*")); len(left) > 0 {
		t.Errorf("files are left: %q", left)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	progress, told := io.Pipe()
	go func() {
		defer told.Close()
		ended <- run(ctx, []string{"-rounds=1000", "-seconds=0.1", "-caddy=false", "-only=nothing", "-trials=main"}, io.Discard, told)
	}()
	progress.Read(make([]byte, 1)) // something was measured
	go io.Copy(io.Discard, progress)
	cancel()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Error("it goes on")
	}
}

func TestOptions(t *testing.T) {
	for name, test := range map[string]struct {
		args string
		want options
		err  string
	}{
		"none":          {want: options{rounds: 5, seconds: 2, caddy: true, command: "just bench"}},
		"quick":         {args: "-quick", want: options{rounds: 3, seconds: 2, trials: "main", caddy: true, quick: true, command: "just bench -quick"}},
		"quicker":       {args: "-quick -rounds=1", want: options{rounds: 1, seconds: 2, trials: "main", caddy: true, quick: true, command: "just bench -quick -rounds=1"}},
		"some":          {args: "-only=a,b -trials=h2,idle -caddy=false -seconds=0.5", want: options{rounds: 5, seconds: 0.5, only: "a,b", trials: "h2,idle", command: "just bench -only=a,b -trials=h2,idle -caddy=false -seconds=0.5"}},
		"unknown trial": {args: "-trials=h2,h4", err: `-trials: there is no "h4"`},
		"argument":      {args: "now", err: `unknown argument "now"`},
		"no rounds":     {args: "-rounds=0", err: "must be positive"},
		"no time":       {args: "-seconds=0", err: "must be positive"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(strings.Fields(test.args), io.Discard)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want an error with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(options{})); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNotInstalled(t *testing.T) {
	if _, err := find("no-such-proxy"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestChoice(t *testing.T) {
	all, some := options{}, options{only: "HAProxy,telemetry", trials: "h2"}
	got := []bool{all.measures("Caddy"), all.tries("main"), some.measures("haproxy"), some.measures("Spangate, telemetry disabled"), some.measures("Caddy"), some.tries("h2"), some.tries("h2c")}
	if diff := cmp.Diff([]bool{true, true, true, true, false, true, false}, got); diff != "" {
		t.Errorf("choice (-want +got):\n%s", diff)
	}
}
