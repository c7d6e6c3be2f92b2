package redis

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"

	cryptorand "crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/wiretest"
	"spangate/policy"
	"spangate/policy/redis/connect"
)

// server is a redis-server of the test's.
type server struct {
	t    testing.TB
	bin  string
	args []string
	port string
	cmd  *exec.Cmd
}

// redisServer returns where redis-server is. Without it the test is skipped,
// but where CI is set it fails: there it must have run.
func redisServer(t testing.TB) string {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	switch {
	case err == nil:
		return bin
	case os.Getenv("CI") != "":
		t.Fatal("there is no redis-server, which CI must have")
	}
	t.Skip("there is no redis-server")
	return ""
}

// startRedis starts one on a free port that keeps nothing on disk.
func startRedis(t testing.TB, args ...string) *server {
	t.Helper()
	s := &server{t: t, bin: redisServer(t), args: args, port: wiretest.FreePort(t)}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) addr() string { return net.JoinHostPort("127.0.0.1", s.port) }

func (s *server) url() connect.URL { return connect.URL("redis://" + s.addr()) }

// start starts it, on the same port as before, and waits until it listens.
func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.bin, append([]string{
		"--port", s.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.t.TempDir(),
	}, s.args...)...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	until(s.t, "redis-server listens", func() bool { return listens(s.addr()) })
}

func listens(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

func (s *server) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

func (s *server) signal(sig syscall.Signal) { s.cmd.Process.Signal(sig) }

// until waits for what must become true. It is given far longer than that takes,
// so that this ends a test that is stuck and never one that is slow.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for range 12000 {
		if is() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("it never came that %s", what)
}

// changes collects what a store reports.
type changes struct {
	mu  sync.Mutex
	all []string
}

func (c *changes) add(degraded bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, fmt.Sprint(degraded, err != nil))
}

func (c *changes) list() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.all, ", ")
}

// run runs s until the test is over, or the function that it returns is called.
func run(t testing.TB, s *Store) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// decides reports whether s asks Redis for decisions.
func decides(s *Store) bool {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return s.queue.open
}

// fleet is several instances under one limit, and clients who ask each of them
// far more often than that allows.
type fleet struct {
	stores  []*Store
	running sync.WaitGroup
	stop    chan struct{}

	allowed, refused [3]atomic.Int64 // by redis, by a share, by none
	full             atomic.Int64    // let in when the burst was there again
}

func newFleet(t testing.TB, n int, cfg Config, limits policy.Limits, changed func(degraded bool, err error)) *fleet {
	t.Helper()
	f := &fleet{stop: make(chan struct{})}
	for range n {
		s := newStore(t, cfg, limits)
		s.changed = changed
		run(t, s)
		f.stores = append(f.stores, s)
	}
	until(t, "all stores know of each other", func() bool {
		for _, s := range f.stores {
			if s.Instances() != n || !decides(s) {
				return false
			}
		}
		return true
	})
	return f
}

// ask makes clients ask every instance that often.
func (f *fleet) ask(key policy.Key, perSecond int) {
	const clients = 4
	for _, s := range f.stores {
		for range clients {
			f.running.Go(func() {
				tick := time.NewTicker(time.Second * clients / time.Duration(perSecond))
				defer tick.Stop()
				for {
					select {
					case <-f.stop:
						return
					case <-tick.C:
					}
					d, _ := s.Limit(context.Background(), key)
					f.count(d)
				}
			})
		}
	}
}

func (f *fleet) count(d policy.Decision) {
	by := 2
	switch d.Store {
	case policy.StoreRedis:
		by = 0
	case policy.StoreLocal:
		by = 1
	}
	if !d.Allowed {
		f.refused[by].Add(1)
		return
	}
	if f.total() > d.Limit.Burst && d.Remaining >= d.Limit.Burst-1 {
		f.full.Add(1)
	}
	f.allowed[by].Add(1)
}

func (f *fleet) total() (n int64) {
	for i := range f.allowed {
		n += f.allowed[i].Load()
	}
	return n
}

func (f *fleet) String() string {
	return fmt.Sprintf("allowed %d: %d by redis, %d by shares, %d by none; refused %d, %d, %d", f.total(),
		f.allowed[0].Load(), f.allowed[1].Load(), f.allowed[2].Load(), f.refused[0].Load(), f.refused[1].Load(), f.refused[2].Load())
}

// balance fails the test unless clients got what the limit gives, within that
// share: all that were let in, and what they have not asked for yet. Where the
// machine stalled that long that the burst was there again, they could not ask
// for all there was: then too few prove nothing.
func (f *fleet) balance(t testing.TB, key policy.Key, began time.Time, percent float64) {
	t.Helper()
	close(f.stop)
	f.running.Wait()
	l := f.stores[0].measures[0].limit
	var before, after time.Duration
	var left int64
	for _, s := range f.stores { // each has to tell what it let in by itself
		until(t, "redis has decided for all", func() bool {
			before = time.Since(began)
			d, _ := s.Limit(context.Background(), key)
			after = time.Since(began)
			f.count(d)
			left = l.Burst - int64(d.Reset/l.Interval()) // less than none, if some came too many
			return d.Store == policy.StoreRedis
		})
	}
	got := f.total() + left
	given := func(d time.Duration) int64 { return l.Burst + int64(d/l.Interval()) }
	off := 100 * float64(got-given(after)) / float64(given(after))
	t.Logf("%d let in and %d left of %d: %+.2f %%; the burst was there again %d times", f.total(), left, given(after), off, f.full.Load())
	if off > percent {
		t.Errorf("clients got %.2f %% too much, at most %v %% is right", off, percent)
	}
	if off = 100 * float64(got-given(before)) / float64(given(before)); off < -percent && f.full.Load() == 0 {
		t.Errorf("clients got %.2f %% too little, at most %v %% is right", -off, percent)
	}
}

var rated = policy.Limits{limit(1000, time.Second)}

// settings are those of the variables, for a Redis at url.
func settings(url connect.URL) Config {
	return Config{RedisURL: url, Timeout: 50 * time.Millisecond}
}

func TestInstancesShareALimit(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	f := newFleet(t, 4, settings(r.url()), rated, nil)
	began := time.Now()
	f.ask(policy.Key{}, 1000)
	time.Sleep(*runFor)
	f.balance(t, policy.Key{}, began, 2)
	t.Log(f)
}

func TestRedisKilled(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	f := newFleet(t, 4, settings(r.url()), rated, nil)
	began := time.Now()
	mark := func(what string) { t.Logf("%6.2fs %-8s %v", time.Since(began).Seconds(), what, f) }
	f.ask(policy.Key{}, 1000)
	time.Sleep(*runFor * 4 / 10)
	mark("kill")
	r.kill()
	time.Sleep(*runFor * 3 / 10)
	until(t, "the shares decide", func() bool { return f.allowed[1].Load() > 0 })
	mark("start")
	r.start()
	started := time.Now()
	until(t, "redis decides again", func() bool { return !slices.ContainsFunc(f.stores, func(s *Store) bool { return !decides(s) }) })
	mark("back")
	t.Log("back after", time.Since(started))
	time.Sleep(*runFor * 3 / 10)
	f.balance(t, policy.Key{}, began, 10)
	mark("end")
	if n := f.allowed[2].Load(); n > 0 {
		t.Errorf("without Redis %d were let in by nobody's decision", n)
	}
	for _, s := range f.stores {
		if s.Instances() != 4 {
			t.Errorf("%d instances are known, want 4", s.Instances())
		}
	}
}

// A Redis that hangs delays requests no longer than they wait, and then not at all.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := newStore(t, settings(r.url()), policy.Limits{limit(1_000_000, time.Second)})
	run(t, s)
	until(t, "redis decides", func() bool { return decides(s) })
	r.signal(syscall.SIGSTOP)
	if d, err := s.Limit(t.Context(), policy.Key{}); err == nil || d.Store != policy.StoreLocal || !d.Allowed {
		t.Errorf("got %+v, %v; want a decision of the share, and an error", d, err)
	}
	until(t, "the store is degraded", func() bool { _, _, degraded := s.Degraded(); return degraded })
	since, why, _ := s.Degraded()
	if since.IsZero() || why == nil {
		t.Errorf("degraded since %v: %v", since, why)
	}
	r.signal(syscall.SIGCONT)
	until(t, "redis decides again", func() bool {
		d, _ := s.Limit(t.Context(), policy.Key{})
		return d.Store == policy.StoreRedis
	})
}

// A Redis that forgets its scripts, and one that loses all keys unnoticed.
func TestRedisForgets(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := newStore(t, Config{RedisURL: r.url()}, policy.Limits{limit(10, time.Hour)})
	run(t, s)
	until(t, "redis decides", func() bool { return decides(s) })
	var got []int64
	for _, command := range []string{"ECHO x", "SCRIPT FLUSH", "FLUSHALL", "CLIENT KILL TYPE normal"} {
		tell(t, r.addr(), command)
		d, _ := s.Limit(t.Context(), policy.Key{})
		got = append(got, d.Remaining)
		until(t, "redis decides", func() bool { return decides(s) })
	}
	d, err := s.Limit(t.Context(), policy.Key{})
	if got = append(got[:3], d.Remaining); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]int64{9, 8, 7, 5}, got); diff != "" {
		t.Errorf("remaining (-want +got):\n%s", diff)
	}
}

// tell sends a command to a server, and returns what it answers first.
func tell(t testing.TB, addr, command string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "%s\r\n", command)
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil || b[0] == '-' {
		t.Fatalf("%s: %s %v", command, b[:n], err)
	}
	return string(b[:n])
}

func TestURLsReachRedis(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	socket := filepath.Join(dir, "s")
	tlsPort := wiretest.FreePort(t)
	r := startRedis(t, "--requirepass", "p/ss", "--unixsocket", socket,
		"--tls-port", tlsPort, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert)
	secure := connect.URL("rediss://:p%2Fss@127.0.0.1:" + tlsPort)
	for name, test := range map[string]struct {
		cfg  Config
		fail string
	}{
		"password":          {cfg: Config{RedisURL: connect.URL("redis://:p%2Fss@" + r.addr() + "/3")}},
		"user":              {cfg: Config{RedisURL: connect.URL("redis://default:p%2Fss@" + r.addr() + "?db=3")}},
		"socket":            {cfg: Config{RedisURL: connect.URL("unix://:p%2Fss@" + socket)}},
		"TLS":               {cfg: Config{RedisURL: secure, CAFile: cert, CertFile: cert, KeyFile: key}},
		"no password":       {cfg: Config{RedisURL: r.url()}, fail: "NOAUTH"},
		"wrong password":    {cfg: Config{RedisURL: connect.URL("redis://:s3cret@" + r.addr())}, fail: "WRONGPASS"},
		"unknown authority": {cfg: Config{RedisURL: secure, CertFile: cert, KeyFile: key}, fail: "unknown authority"},
		"no TLS there":      {cfg: Config{RedisURL: connect.URL("rediss://:p%2Fss@" + r.addr()), Timeout: time.Second}, fail: "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			reach(t, test.cfg, test.fail)
		})
	}
}

// reach fails the test unless a store of cfg comes to decide, or else says why
// it cannot in the words of fail.
func reach(t *testing.T, cfg Config, fail string) {
	t.Helper()
	s := newStore(t, cfg, policy.Limits{limit(10, time.Second)})
	run(t, s)
	var err error
	if fail == "" {
		until(t, "redis decides", func() bool {
			var d policy.Decision
			d, err = s.Limit(t.Context(), policy.Key{})
			return d.Store == policy.StoreRedis
		})
		return
	}
	until(t, "it fails", func() bool {
		_, err, _ = s.Degraded()
		return err != errNotYet
	})
	if err == nil || !strings.Contains(err.Error(), fail) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("failed with %v, want %q", err, fail)
	}
}

// certificate makes one for 127.0.0.1 that is its own authority.
func certificate(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(cryptorand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestCluster(t *testing.T) {
	t.Parallel()
	var nodes []*server
	for i := range 3 {
		r := startRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", wiretest.FreePort(t))
		tell(t, r.addr(), fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", i*5461, min((i+1)*5461-1+i/2, 16383)))
		tell(t, r.addr(), fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1))
		nodes = append(nodes, r)
	}
	for _, r := range nodes[1:] {
		port := slices.Index(r.args, "--cluster-port") + 1
		tell(t, nodes[0].addr(), fmt.Sprintf("CLUSTER MEET 127.0.0.1 %s %s", r.port, r.args[port]))
	}
	for _, r := range nodes {
		until(t, "the cluster is whole", func() bool { return strings.Contains(tell(t, r.addr(), "CLUSTER INFO"), "cluster_state:ok") })
	}
	s := newStore(t, Config{RedisURL: connect.URL("redis+cluster://" + nodes[0].addr() + "," + nodes[1].addr())}, policy.Limits{limit(2, time.Hour)})
	run(t, s)
	until(t, "redis decides", func() bool { return decides(s) })
	var asked sync.WaitGroup
	for i := range 50 {
		asked.Go(func() {
			for _, want := range []bool{true, true, false} {
				d, err := s.Limit(t.Context(), policy.Key{ID: [16]byte{byte(i)}})
				if err != nil || d.Allowed != want {
					t.Errorf("key %d: got %+v, %v; want allowed %v", i, d, err, want)
				}
			}
		})
	}
	asked.Wait()
	for _, r := range nodes {
		if keys := tell(t, r.addr(), "DBSIZE"); keys == ":0\r\n" {
			t.Error("one of the nodes has no keys")
		}
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, "sentinel monitor main 127.0.0.1 %s 1\n", r.port), 0o600); err != nil {
		t.Fatal(err)
	}
	port := wiretest.FreePort(t)
	cmd := exec.Command(r.bin, file, "--sentinel", "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	address := net.JoinHostPort("127.0.0.1", port)
	until(t, "the sentinel listens", func() bool { return listens(address) })
	reach(t, Config{RedisURL: connect.URL("redis+sentinel://" + address + "?master_name=main")}, "")
	reach(t, Config{RedisURL: connect.URL("redis+sentinel://" + address + "?master_name=other")}, "sentinel")
}
