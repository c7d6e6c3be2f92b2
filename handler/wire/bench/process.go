package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is one that was started here, with those that it has started itself.
type process struct {
	name  string
	pid   int           // of it, and of the group that all of them are in
	log   string        // file that has what it wrote
	ended chan struct{} // closed with it
	kill  context.CancelFunc
}

// start starts cmd in a group of its own, which is killed when ctx is done, on
// stop, and by the kernel when this process ends without either.
func start(ctx context.Context, dir, name string, cmd *exec.Cmd) (*process, error) {
	log, err := os.CreateTemp(dir, strings.ReplaceAll(name, " ", "-")+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	cmd.Stderr = log
	// A master that is told to end takes its workers with it, and one that is killed does not.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ctx, kill := context.WithCancel(ctx)
	p := &process{name: name, pid: cmd.Process.Pid, log: log.Name(), ended: make(chan struct{}), kill: kill}
	go func() {
		defer close(p.ended)
		stop := context.AfterFunc(ctx, func() { syscall.Kill(-p.pid, syscall.SIGKILL) })
		defer stop()
		cmd.Wait()
	}()
	return p, nil
}

// stop kills the process, and waits for its end.
func (p *process) stop() {
	p.kill()
	<-p.ended
}

// wrong adds to err what the process wrote last.
func (p *process) wrong(err error) error {
	wrote, _ := os.ReadFile(p.log)
	if len(wrote) > 2000 {
		wrote = wrote[len(wrote)-2000:]
	}
	return fmt.Errorf("%s: %w\n%s", p.name, err, wrote)
}

// role is the work of a process of this program.
type role func(args []string, stdin io.Reader, stdout io.Writer) error

// roles are what this program is when its first argument says so.
var roles = map[string]role{
	"backends":  serveBackends,
	"collector": serveCollector,
	"load":      generateLoad,
}

// roleOf returns the role that a command line is for.
func roleOf(args []string) (r role, ok bool) {
	if len(args) < 2 {
		return nil, false
	}
	r, ok = roles[args[1]]
	return r, ok
}

// actor is a process of this program in one of its roles.
type actor struct {
	*process
	in  io.WriteCloser
	out *os.File
	say *json.Decoder // of what it writes
}

func cast(ctx context.Context, dir, role string, args ...string) (*actor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, append([]string{role}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd.Stdout = theirs
	p, err := start(ctx, dir, role, cmd)
	if err != nil {
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	return &actor{p, in, out, json.NewDecoder(out)}, nil
}

// hear waits, for so long, for the next value that the process writes.
func (a *actor) hear(within time.Duration, value any) error {
	a.out.SetReadDeadline(time.Now().Add(within))
	if err := a.say.Decode(value); err != nil {
		return a.wrong(err)
	}
	return nil
}

func (a *actor) stop() {
	a.process.stop()
	a.in.Close()
	a.out.Close()
}

// build builds what, a package of Go that is named in folder, as binary.
func build(ctx context.Context, folder, binary, what string, flags ...string) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-buildvcs=false", "-trimpath", "-o", binary}, flags...), what)...)
	cmd.Dir = filepath.FromSlash(folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return nil
}
