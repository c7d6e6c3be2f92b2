// Package integrity answers whether what goes through the program comes out as it
// went in: requests of all sizes, framings and paces, over HTTP/1.1 and h2c, to
// backends that break off anywhere, are killed and come back.
//
// It is a module of its own, as those beside it that test the program from outside.
package integrity

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"
)

var (
	requests = flag.Int("requests", 0, "how many; 0: 100,000, and 5,000 with -short")
	seed     = flag.Uint64("seed", 0, "what all requests follow from; 0: another one each time")
	binary   = flag.String("binary", "", "the program, if it is not to be built")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(build(m))
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "integrity")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if *binary == "" {
		if *binary, err = buildProgram(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// run is what all parties of one test share.
type run struct {
	t       *testing.T
	seed    uint64
	address string // of the program
	traces  []trace
	counts  counts
	mu      sync.Mutex
	table   map[row]map[string]int
	faults  int
}

// row is a line of the table.
type row struct{ fate, protocol string }

type counts struct {
	up, down    atomic.Int64 // bytes of content that backends have read and written
	hints       atomic.Int64 // interim answers
	pairs       atomic.Int64 // of requests that were sent together
	behind      atomic.Int64 // requests that were sent again as the answer before ended the connection
	unannounced atomic.Int64 // connections that ended before the upload did, behind a whole answer
	cut         atomic.Int64 // connections that backends have closed without a word
	unheard     atomic.Int64 // requests that were lost with one of these
	kills       atomic.Int64 // of whole backends
	http2s      atomic.Int64 // connections of h2c
}

// fault fails the test, and says why if that was not said too often.
func (r *run) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.faults++; r.faults <= 20 {
		r.t.Errorf(format, args...)
	} else {
		r.t.Fail()
	}
}

// outcome is what has come of an exchange at its client.
type outcome struct {
	status   int
	identity string // empty: the answer is the program's own
	size     int
	err      error  // the answer broke off, or is wrong
	said     string // by the program, instead of an answer
	left     bool   // the client has gone
	closed   bool   // nothing follows on the connection
}

// verdict names what has come of an exchange: "right", or how it failed for its
// client to see. It returns an error if it is neither.
func (o outcome) verdict(x exchange) (string, error) {
	_, bad := errors.AsType[wrongError](o.err)
	switch {
	case bad:
		return "wrong", o.err
	case o.left || o.err != nil && x.leaves == inUpload: // amid an early answer
		return "left", nil
	case o.err != nil && o.status == 0:
		return "none", fmt.Errorf("no answer: %w", o.err)
	case o.err != nil:
		return "cut", nil
	case o.identity == "" && o.status >= 502 && o.status <= 504:
		return strconv.Itoa(o.status), nil
	case o.identity == "" || o.status != x.status:
		return "wrong", fmt.Errorf("status %d, want %d: %s", o.status, x.status, o.said)
	case o.size != x.down.size && !x.bodiless():
		return "short", fmt.Errorf("an answer of %d bytes looks whole", o.size)
	}
	return "right", nil
}

// judge compares what came of an exchange with what its backends did.
func (r *run) judge(x exchange, protocol string, o outcome) {
	verdict, err := o.verdict(x)
	tr := &r.traces[x.id]
	heard, killed := int(tr.heard.Load()), tr.killed.Load()
	column := verdict
	switch {
	case err != nil:
	case verdict == "right" && x.fate.before() && x.always:
		err = errors.New("an answer that no backend gave")
	case verdict == "right" && x.fate.within() && (x.always || heard == 1):
		err = errors.New("all of the content, of which the end was cut, looks whole")
	case verdict == "right" && heard > 1:
		column = "right, again"
	case verdict == "right" || verdict == "left" || killed:
	case heard == 0 && !x.repeatable() && verdict != "cut":
		column = "unheard"
		r.counts.unheard.Add(1)
	case x.fate.before() && (x.always || !x.repeatable()) && verdict == "502":
	case x.fate.within():
	default:
		err = errors.New("nothing that its backend did explains it")
	}
	if most := map[bool]int{true: 6, false: 1}[x.idempotent()]; heard > most || heard > 1 && !killed && !x.fate.within() && !x.fate.before() {
		err = errors.Join(err, fmt.Errorf("backends have heard of it %d times", heard))
	}
	if err != nil {
		r.fault("%s, %s: %v %s: %v\nof %v\nits backends: %v", protocol, verdict, o.status, o.said, errors.Join(err, o.err), x, tr)
	}
	name := string(x.fate)
	if x.leaves != never {
		name = "its client leaves"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at := row{name, protocol}
	if r.table[at] == nil {
		r.table[at] = make(map[string]int)
	}
	r.table[at][column]++
}

// print shows the table.
func (r *run) print(took time.Duration) {
	columns := make(map[string]bool)
	total := make(map[string]int)
	for _, counts := range r.table {
		for c, n := range counts {
			columns[c] = true
			total[c] += n
		}
	}
	names := slices.Sorted(maps.Keys(columns))
	rows := slices.SortedFunc(maps.Keys(r.table), func(a, b row) int {
		return strings.Compare(a.fate+a.protocol, b.fate+b.protocol)
	})
	r.table[row{"all", ""}] = total
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "the backend's connection\t\trequests\t"+strings.Join(names, "\t")+"\t")
	for _, at := range append(rows, row{"all", ""}) {
		n, cells := 0, ""
		for _, c := range names {
			n += r.table[at][c]
			cells += strconv.Itoa(r.table[at][c]) + "\t"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", at.fate, at.protocol, n, cells)
	}
	w.Flush()
	c := &r.counts
	fmt.Printf("\n%s\nIn %v, with -seed=%d: %d MiB up, %d MiB down; %d interim answers; %d pipelined pairs, of which %d were parted; backends were killed %d times, and closed %d connections without a word, in the face of %d requests; %d clients were not told that their upload's connection ends; %d connections of h2c, of which %d would do.\n\n",
		&b, took.Round(time.Millisecond), r.seed, c.up.Load()>>20, c.down.Load()>>20, c.hints.Load(), c.pairs.Load(), c.behind.Load(), c.kills.Load(), c.cut.Load(), c.unheard.Load(), c.unannounced.Load(), c.http2s.Load(), connections)
}

const (
	backends    = 3
	http1s      = 32 // clients
	http2s      = 32
	connections = 4 // of these
)

// TestIntegrity makes all exchanges. Each must end as it was to, or fail in a way
// that its client sees and that its own backend explains.
func TestIntegrity(t *testing.T) {
	r := &run{t: t, seed: *seed, table: make(map[row]map[string]int)}
	if r.seed == 0 {
		r.seed = rand.Uint64() >> 32
	}
	n := *requests
	if n == 0 {
		n = 100_000
		if testing.Short() {
			n = 5_000
		}
	}
	r.traces = make([]trace, n+1) // the first is nobody's
	var all []*backend
	var urls []string
	for range backends {
		b := startBackend(t, r)
		all, urls = append(all, b), append(urls, "http://"+b.addr)
	}
	r.address = startProgram(t, "BACKENDS="+strings.Join(urls, ","), "PROBE_MODE=off", "OUTLIER_FAILURES=0",
		"RETRY_ATTEMPTS=5", "RETRY_BUDGET=100%", "RETRY_BACKOFF=1ms", "ACCESS_LOG=off")
	began := time.Now()
	done := make(chan struct{})
	var killing sync.WaitGroup
	killing.Go(func() { r.kill(all, done) })
	r.clients()
	close(done)
	killing.Wait()
	r.print(time.Since(began))
	if lost, closed := r.counts.unheard.Load(), r.counts.cut.Load(); lost > closed/4 {
		t.Errorf("%d requests were lost on %d connections that closed", lost, closed)
	}
}

// clients returns once all exchanges are over.
func (r *run) clients() {
	var ids atomic.Int64
	var working sync.WaitGroup
	var conns []*http2Client
	for range connections {
		conns = append(conns, &http2Client{run: r})
	}
	for i := range http2s {
		working.Go(func() { conns[i%connections].work(&ids) })
	}
	for range http1s {
		working.Go(func() { (&http1Client{run: r}).work(&ids) })
	}
	working.Wait()
	for _, c := range conns {
		c.conn.Close()
	}
	if n := r.counts.http2s.Load(); n > connections {
		r.t.Errorf("it took %d connections of h2c, want %d", n, connections)
	}
}

// kill ends one backend after the other, and has it come back.
func (r *run) kill(all []*backend, done <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		case <-time.After(700 * time.Millisecond):
		}
		b := all[i%len(all)]
		b.kill(i%2 == 0)
		r.counts.kills.Add(1)
		time.Sleep(200 * time.Millisecond)
		if err := b.listen(); err != nil {
			r.t.Errorf("a backend did not come back: %v", err)
			return
		}
	}
}
