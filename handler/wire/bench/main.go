// Bench answers what a request costs in this program, next to nginx, HAProxy, Caddy
// and the reverse proxy of Go's standard library: it starts each of them, one after
// the other and round after round, before backends that cost next to nothing, and
// compares what it measures in the same round. It needs Linux, whose /proc tells what
// a process has used.
//
// It is a module of its own, so that what measures stays out of the program's go.mod.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	var err error
	if role, ok := roleOf(os.Args); ok {
		err = role(os.Args[2:], os.Stdin, os.Stdout)
	} else {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		// Whoever ends go run ends this too.
		err = errors.Join(unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0), run(ctx, os.Args[1:], os.Stdout, os.Stderr))
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// run measures what the arguments say, and writes a report to stdout.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := manyDescriptors(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := &rig{dir: dir, rounds: o.rounds, length: time.Duration(o.seconds * float64(time.Second)), progress: stderr}
	if r.certificate, r.key, err = newCertificate(dir); err != nil {
		return err
	}
	stop, err := r.surround(ctx)
	if err != nil {
		return err
	}
	defer stop()
	found, err := r.compare(ctx, o)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, found)
	return err
}

// manyDescriptors lets this process and those that it starts have all that they
// may: without being asked to, Go does so for itself alone.
func manyDescriptors() error {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return err
	}
	const needed = 8192
	if files.Max < needed {
		return fmt.Errorf("%d descriptors are too few: raise ulimit -n to %d", files.Max, needed)
	}
	files.Cur = files.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files)
}

// surround starts what stands before and behind the proxies.
func (r *rig) surround(ctx context.Context) (stop func(), err error) {
	backends, err := cast(ctx, r.dir, "backends", "2")
	if err != nil {
		return nil, err
	}
	collector, err := cast(ctx, r.dir, "collector")
	if err != nil {
		backends.stop()
		return nil, err
	}
	stop = func() { backends.stop(); collector.stop() }
	var at []string
	err = errors.Join(backends.hear(patience, &r.backends), collector.hear(patience, &at))
	if err != nil {
		stop()
		return nil, err
	}
	r.collector = at[0]
	return stop, nil
}
