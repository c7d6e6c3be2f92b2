// Package abuse answers what it costs the program, and those whom it serves, to be
// attacked: it builds the program, runs it as a process before a backend that
// counts, and floods, stalls and drips at it with raw frames and bytes while
// somebody else's requests go on.
//
// It is a module of its own, so that what attacks stays out of the program's go.mod.
package abuse

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "abuse")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)

	// As just build and the Containerfile build it.
	binary = filepath.Join(dir, "spangate")
	program := exec.Command("go", "build", "-o", binary, "-buildvcs=false", "-trimpath", "-ldflags=-s -w", ".")
	program.Dir = "../../.."
	program.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := program.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %v\n%s", program, err, out)
		return 1
	}
	code := m.Run()
	figures.print()
	return code
}

// attack is one way to do harm.
type attack struct {
	name string
	// strike attacks once, and returns what came of it. Several strike at a time.
	strike func(at *target) outcome
	env    []string
	secure bool // over TLS
	waits  bool // most of the time: other attacks may go on beside it
	files  int  // descriptors that the proxy may have; 0: as many as the test

	// stays is set where the protocol has the proxy bear with the client: its
	// connections need not end, as long as what they cost is bounded.
	stays bool

	// What one strike may cost at most: generous for a busy machine, and far below
	// what an attack that nothing stops comes to. Zero is usual's.
	forwards int           // requests that the backend sees
	cpu      time.Duration // of the proxy
	memory   int           // MiB, all that strike at a time, together
}

// usual are the limits of an attack that names none.
var usual = attack{forwards: 2, cpu: 400 * time.Millisecond, memory: 192}

// outcome is what came of a strike.
type outcome struct {
	sent  int    // frames, or whatever the attack counts
	ended string // how the proxy ended the connection, empty where it did not
	err   error  // the strike did not come about
}

const attackers = 4 // that strike at a time

// spells returns how many quiet ones there are, each followed by one under attack,
// and how long they take at least.
func spells() (n int, each time.Duration) {
	if testing.Short() {
		return 1, 150 * time.Millisecond
	}
	return 3, 400 * time.Millisecond
}

// attackWith runs each of attacks on a process of its own.
func attackWith(t *testing.T, attacks []attack) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			if a.waits && testing.Short() {
				t.Parallel()
			}
			a.run(t)
		})
	}
}

func (a attack) run(t *testing.T) {
	start := startProxy
	if a.secure {
		start = startSecureProxy
	}
	p := start(t, a.env...)
	if a.files > 0 {
		limit := &unix.Rlimit{Cur: uint64(a.files), Max: uint64(a.files)}
		if err := unix.Prlimit(p.pid, unix.RLIMIT_NOFILE, limit, nil); err != nil {
			t.Fatal(err)
		}
	}
	other := watch(t, p)
	fig := figure{attack: t.Name()}
	rounds, spell := spells()
	for range rounds {
		fig.quiet = append(fig.quiet, other.during(func() { time.Sleep(spell) })...)

		p.backend.attacked.Store(0)
		before := p.usage(t)
		var outcomes []outcome
		fig.attacked = append(fig.attacked, other.during(func() {
			began := time.Now()
			outcomes = a.strikes(p)
			time.Sleep(spell - time.Since(began))
		})...)
		after := p.usage(t)

		fig.cpu = max(fig.cpu, (after.cpu-before.cpu)/attackers)
		fig.memory = max(fig.memory, after.peak-before.resident)
		fig.forwarded = max(fig.forwarded, int(p.backend.attacked.Load())/attackers)
		for _, o := range outcomes {
			if o.err != nil {
				t.Fatal(o.err)
			}
			fig.sent = max(fig.sent, o.sent)
			fig.ended = cmp.Or(fig.ended, o.ended)
			if o.ended == "" && !a.stays {
				t.Errorf("the connection is still open after %d", o.sent)
			}
		}
	}
	figures.add(fig)
	a.judge(t, fig, other)
	p.alive(t)
}

// judge compares what an attack came to with what it may.
func (a attack) judge(t *testing.T, fig figure, other *bystander) {
	if limit := cmp.Or(a.cpu, usual.cpu); fig.cpu > limit {
		t.Errorf("took %v of CPU, want %v at most", fig.cpu, limit)
	}
	if limit := cmp.Or(a.memory, usual.memory) << 20; fig.memory > limit {
		t.Errorf("took %d MiB, want %d at most", fig.memory>>20, limit>>20)
	}
	if limit := cmp.Or(a.forwards, usual.forwards); fig.forwarded > limit {
		t.Errorf("%d requests were forwarded, want %d at most", fig.forwarded, limit)
	}
	if other.failed > 0 {
		t.Errorf("%d requests of another client failed, the first with: %v", other.failed, other.err)
	}
	if len(fig.attacked) == 0 {
		t.Error("no request of another client came through")
	}
	if testing.Short() {
		return // a short spell beside other attacks says nothing of times
	}
	// Only what nobody could take for a busy machine.
	if quiet, attacked := quantile(fig.quiet, 50), quantile(fig.attacked, 50); attacked > 50*quiet+2*time.Second {
		t.Errorf("half of another client's requests took %v, without the attack %v", attacked, quiet)
	}
}

// strikes has all attackers strike at once.
func (a attack) strikes(p *target) []outcome {
	outcomes := make([]outcome, attackers)
	var all sync.WaitGroup
	for i := range outcomes {
		all.Go(func() { outcomes[i] = a.strike(p) })
	}
	all.Wait()
	return outcomes
}

// figure is what an attack came to.
type figure struct {
	attack          string
	sent            int
	ended           string
	forwarded       int           // by a strike
	cpu             time.Duration // of a strike
	memory          int           // bytes, of all at a time
	quiet, attacked []time.Duration
}

type table struct {
	mu   sync.Mutex
	rows []figure
}

var figures table

func (f *table) add(row figure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows = append(f.rows, row)
}

func (f *table) print() {
	if len(f.rows) == 0 {
		return
	}
	fmt.Printf("\nEach strike of %d at a time, on %d CPUs; ratios compare another client's requests under attack with those without.\n\n", attackers, runtime.NumCPU())
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintln(w, "attack\tsent\tended by\tforwarded\tCPU\tmemory\tp50\tp99")
	for _, row := range f.rows {
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d ms\t%.1f MiB\t×%.1f\t×%.1f\n", row.attack, row.sent, cmp.Or(row.ended, "nobody"),
			row.forwarded, row.cpu.Milliseconds(), float64(row.memory)/(1<<20), ratio(row, 50), ratio(row, 99))
	}
}

func ratio(row figure, percent int) float64 {
	return float64(quantile(row.attacked, percent)) / float64(max(quantile(row.quiet, percent), 1))
}

func quantile(durations []time.Duration, percent int) time.Duration {
	if len(durations) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(durations))
	return sorted[(len(sorted)-1)*percent/100]
}
