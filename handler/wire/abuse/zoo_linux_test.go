package abuse

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// zoo is how many there are of each.
type zoo struct {
	slow, idle int
	limit      time.Duration // READ_HEADER_TIMEOUT and CLIENT_TIMEOUT; REQUEST_TIMEOUT is twice as long
}

// zooOf returns one for which there are descriptors, here and in the program: each
// slow client may take a second one, of a connection to the backend.
func zooOf(t *testing.T) zoo {
	t.Helper()
	z := zoo{slow: 2000, idle: 10_000, limit: 6 * time.Second}
	if testing.Short() {
		z = zoo{slow: 200, idle: 1000, limit: time.Second}
	}
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if most := int(files.Max) - 2*z.slow - 500; most < z.idle {
		if most < 0 {
			t.Skipf("%d descriptors are too few", files.Max)
		}
		t.Logf("%d idle connections instead of %d: there are %d descriptors", most, z.idle, files.Max)
		z.idle = most
	}
	return z
}

// animals are the slow clients. Each returns how the program ended its connection.
var animals = []struct {
	name string
	live func(conn net.Conn, z zoo) (string, error)
}{
	{"a header, byte by byte", func(conn net.Conn, z zoo) (string, error) {
		return feed(conn, get+"X: ", "x", z.limit/10)
	}},
	{"a header that stops", func(conn net.Conn, _ zoo) (string, error) {
		return feed(conn, get+"X: ", "", 0)
	}},
	{"a body, byte by byte", func(conn net.Conn, z zoo) (string, error) {
		return feed(conn, post+"Content-Length: 1000000\r\n\r\n", "x", z.limit/10)
	}},
	{"chunks that stop", func(conn net.Conn, _ zoo) (string, error) {
		return feed(conn, post+"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "", 0)
	}},
	{"an answer, a KiB at a time", func(conn net.Conn, z zoo) (string, error) {
		io.WriteString(conn, endless)
		return swallow(conn, 1<<10, z.limit/10, 2*z.limit+z.limit/2)
	}},
	{"an answer that is not read", func(conn net.Conn, z zoo) (string, error) {
		io.WriteString(conn, endless)
		time.Sleep(2*z.limit + z.limit/2)
		return swallow(conn, 64<<10, 0, 0)
	}},
}

// endless asks for more than all buffers on the way hold.
const endless = "GET /endless HTTP/1.1\r\nHost: abuse.test\r\n\r\n"

// feed writes first, and then each every so often, until the connection ends.
func feed(conn net.Conn, first, each string, every time.Duration) (string, error) {
	if _, err := io.WriteString(conn, first); err != nil {
		return "", err
	}
	over := make(chan struct{})
	if each != "" {
		var feeding sync.WaitGroup
		defer feeding.Wait()
		feeding.Go(func() {
			for ticks := time.NewTicker(every); ; {
				select {
				case <-over:
					ticks.Stop()
					return
				case <-ticks.C:
					io.WriteString(conn, each)
				}
			}
		})
	}
	defer close(over)
	answer, err := io.ReadAll(conn)
	status, _, _ := strings.Cut(string(answer), "\r\n")
	ended := how(cmp.Or(err, io.EOF))
	if ended != "" && status != "" {
		ended = strings.TrimPrefix(status, "HTTP/1.1 ") + ", " + ended
	}
	return ended, nil
}

// swallow reads so much of an answer every so often, and after some time as fast as
// it can, until the connection ends: what the program has sent before it gave up
// still comes.
func swallow(conn net.Conn, piece int, every, slowly time.Duration) (string, error) {
	began := time.Now()
	res, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil)
	if err != nil {
		return how(err), nil
	}
	if res.StatusCode != http.StatusOK {
		return "", errors.New(res.Status)
	}
	for space := make([]byte, piece); ; {
		if time.Since(began) < slowly {
			time.Sleep(every)
		}
		_, err := res.Body.Read(space)
		switch {
		case errors.Is(err, io.EOF):
			return "", errors.New("all of the answer came")
		case err != nil && how(err) != "":
			return "cut, " + how(err), nil
		case err != nil:
			return "", nil
		}
	}
}

// pen is what became of all animals of one kind.
type pen struct {
	mu          sync.Mutex
	ended       map[string]int
	first, last time.Duration
	err         error
}

func (k *pen) add(ended string, after time.Duration, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended[ended]++
	if k.first == 0 || after < k.first {
		k.first = after
	}
	k.last = max(k.last, after)
	if k.err == nil {
		k.err = err
	}
}

// TestZoo has slow clients of all kinds come at once, beside idle connections, and
// measures what that means for another client and for the program's memory.
func TestZoo(t *testing.T) {
	z := zooOf(t)
	p := startProxy(t, fmt.Sprintf("READ_HEADER_TIMEOUT=%v", z.limit), fmt.Sprintf("CLIENT_TIMEOUT=%v", z.limit),
		fmt.Sprintf("REQUEST_TIMEOUT=%v", 2*z.limit), "BACKEND_CONNECT_TIMEOUT=5s", "ACCESS_LOG=off") // all connect at once
	other := watch(t, p)
	quiet := other.during(func() { time.Sleep(z.limit) })
	empty := p.proportional(t)

	idle := idlers(t, p, z.idle)
	after := p.proportional(t)
	resting := other.during(func() { time.Sleep(z.limit) })
	settled := p.proportional(t)

	pens := make([]pen, len(animals))
	var most int
	attacked := other.during(func() { most = z.live(p, pens) })
	left := p.proportional(t)

	fmt.Printf("\n%d slow clients at once beside %d idle connections; limits of %v, and %v for a request.\n\n", z.slow, z.idle, z.limit, 2*z.limit)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "slow clients\tended by\tafter")
	for i, a := range animals {
		var ends []string
		for _, e := range slices.Sorted(maps.Keys(pens[i].ended)) {
			ends = append(ends, fmt.Sprintf("%d× %s", pens[i].ended[e], cmp.Or(e, "nobody")))
		}
		fmt.Fprintf(w, "%s\t%s\t%.1f to %.1f s\n", a.name, strings.Join(ends, "; "), pens[i].first.Seconds(), pens[i].last.Seconds())
	}
	w.Flush()
	row := figure{quiet: quiet, attacked: attacked}
	beside := figure{quiet: quiet, attacked: resting}
	fmt.Printf("\nAnother client's requests: p50 %v, p99 %v before; ×%.1f, ×%.1f beside the idle ones; ×%.1f, ×%.1f beside all.\n",
		quantile(quiet, 50), quantile(quiet, 99), ratio(beside, 50), ratio(beside, 99), ratio(row, 50), ratio(row, 99))
	fmt.Printf("Memory (PSS): %.1f MiB before; %.1f KiB for each idle connection once all have come, %.1f a while later; %.1f MiB at most; %.1f MiB at the end.\n\n",
		mib(empty), float64(after-empty)/1024/float64(z.idle), float64(settled-empty)/1024/float64(z.idle), mib(most), mib(left))

	for i, a := range animals {
		if err := pens[i].err; err != nil {
			t.Errorf("%s: %v", a.name, err)
		}
		if n := pens[i].ended[""]; n > 0 {
			t.Errorf("%s: %d were not ended", a.name, n)
		}
	}
	if other.failed > 0 {
		t.Errorf("%d requests of another client failed, the first with: %v", other.failed, other.err)
	}
	for i := 0; i < len(idle); i += max(1, len(idle)/200) {
		if err := idle[i].ask(); err != nil {
			t.Fatalf("idle connection %d is of no use any more: %v", i, err)
		}
	}
	if !testing.Short() && quantile(attacked, 99) > 20*quantile(quiet, 99)+time.Second {
		t.Errorf("of another client's requests p99 was %v, before %v", quantile(attacked, 99), quantile(quiet, 99))
	}
	p.alive(t)
}

// TestDescriptors has idle clients take all descriptors that the program may have.
// It says so, once, goes on for whom it has a connection, and serves others again
// once there are some: as clients leave, or as the limit is raised.
func TestDescriptors(t *testing.T) {
	const warning = "out of file descriptors"
	free := map[string]func(p *target, taken []net.Conn){
		"clients leave": func(_ *target, taken []net.Conn) {
			for _, conn := range taken {
				conn.Close()
			}
		},
		"the limit is raised": func(p *target, _ []net.Conn) {
			unix.Prlimit(p.pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1000, Max: 1000}, nil)
		},
	}
	for name, free := range free {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startProxy(t, "ACCESS_LOG=off", "READ_HEADER_TIMEOUT=1h")
			other := watch(t, p)
			if err := unix.Prlimit(p.pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 100, Max: 1000}, nil); err != nil {
				t.Fatal(err)
			}
			var taken []net.Conn
			for range 200 {
				conn, err := p.dial()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				taken = append(taken, conn)
			}
			other.during(func() {
				for late := time.Now().Add(patience); p.said(warning) == 0; time.Sleep(10 * time.Millisecond) {
					if time.Now().After(late) {
						t.Fatalf("nothing says %q", warning)
					}
				}
				time.Sleep(time.Second)
			})
			free(p, taken)
			conn, err := p.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := (&idler{conn, bufio.NewReader(conn)}).ask(); err != nil {
				t.Errorf("a client that comes later: %v", err)
			}
			if other.failed > 0 {
				t.Errorf("%d requests of another client failed, the first with: %v", other.failed, other.err)
			}
			if n := p.said(warning); n != 1 {
				t.Errorf("%d lines say %q, want 1 a minute", n, warning)
			}
			p.alive(t)
		})
	}
}

// live has all slow clients come, and returns once they have ended, with the most
// memory that was seen.
func (z zoo) live(p *target, pens []pen) (most int) {
	for i := range pens {
		pens[i].ended = make(map[string]int)
	}
	var living sync.WaitGroup
	for n := range z.slow {
		kind := n % len(animals)
		living.Go(func() {
			began := time.Now()
			ended, err := z.one(p, kind)
			pens[kind].add(ended, time.Since(began), err)
		})
	}
	gone := make(chan struct{})
	go func() {
		living.Wait()
		close(gone)
	}()
	for {
		select {
		case <-gone:
			return most
		case <-time.After(z.limit / 4):
			most = max(most, p.proportional(p.t))
		}
	}
}

func (z zoo) one(p *target, kind int) (string, error) {
	// A small window, so that an answer that is not read does not go into it.
	dialer := net.Dialer{Timeout: patience, Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 8<<10) })
	}}
	conn, err := dialer.Dial("tcp", p.address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3*z.limit + patience))
	return animals[kind].live(conn, z)
}

// idler is a connection that was of use, and may be again.
type idler struct {
	net.Conn
	in *bufio.Reader
}

func idlers(t *testing.T, p *target, n int) []*idler {
	t.Helper()
	all := make([]*idler, n)
	var failed atomic.Pointer[error]
	var coming sync.WaitGroup
	for worker := range 16 {
		coming.Go(func() {
			for i := worker; i < n; i += 16 {
				conn, err := p.dial()
				if err == nil {
					all[i] = &idler{conn, bufio.NewReaderSize(conn, 16)}
					err = all[i].ask()
				}
				if err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	coming.Wait()
	t.Cleanup(func() {
		for _, c := range all {
			if c != nil {
				c.Close()
			}
		}
	})
	if err := failed.Load(); err != nil {
		t.Fatal(*err)
	}
	return all
}

func (c *idler) ask() error {
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "GET /other HTTP/1.1\r\nHost: abuse.test\r\n\r\n")
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || string(body) != "hello") {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return err
}

// proportional returns the program's share of memory, in bytes.
func (p *target) proportional(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kib int
		if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	t.Fatalf("no Pss in %s", text)
	return 0
}

func mib(bytes int) float64 { return float64(bytes) / (1 << 20) }
