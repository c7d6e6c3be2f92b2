package e2e

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds each wait for another process: far longer than any of them
// takes, so that it ends a test that is stuck and never one that is slow.
const patience = time.Minute

// process is a running program whose output is read line by line.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and all its output was read
	err  error         // why it ended; for readers of done

	mu   sync.Mutex
	tail [][]byte // the last lines of both outputs, for the log of a failed test
}

// start runs cmd and hands each line it writes to stdout or stderr, which may
// be nil. The process is killed at the end of the test if it still runs then.
func start(t testing.TB, cmd *exec.Cmd, stdout, stderr func(line []byte)) *process {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	p := &process{cmd: cmd, done: make(chan struct{})}
	var read sync.WaitGroup
	read.Go(func() { p.read(out, stdout) })
	read.Go(func() { p.read(errs, stderr) })
	go func() {
		// Wait closes the pipes: only once they are read to their end.
		read.Wait()
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s (%v) wrote last:\n%s", cmd.Path, p.err, bytes.Join(p.tail, nil))
		}
	})
	return p
}

func (p *process) read(from io.Reader, line func([]byte)) {
	// Not a bufio.Scanner: a line of the collector holds a whole batch.
	r := bufio.NewReaderSize(from, 1<<16)
	for {
		b, err := r.ReadBytes('\n')
		if len(b) > 0 {
			p.keep(b)
			if line != nil {
				line(b)
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *process) keep(line []byte) {
	const lines, width = 40, 400
	if bytes.HasPrefix(line, []byte(`{"resource`)) {
		return // what a collector received is its data, and says nothing of how it does
	}
	if len(line) > width {
		line = append(line[:width:width], "…\n"...)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tail = append(p.tail, line)
	if len(p.tail) > lines {
		p.tail = p.tail[1:]
	}
}

// terminate asks the process to end and returns how it did.
func (p *process) terminate(t testing.TB) error {
	t.Helper()
	return p.end(t, syscall.SIGTERM)
}

func (p *process) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("%v to %s: %v", sig, p.cmd.Path, err)
	}
}

func (p *process) end(t testing.TB, sig os.Signal) error {
	t.Helper()
	p.signal(t, sig)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		t.Fatalf("%s still runs after %v", p.cmd.Path, sig)
		return nil
	}
}
