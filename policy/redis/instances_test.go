//go:build e2e

package redis

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"spangate/policy"
	"spangate/policy/redis/connect"
)

// programLimit is that of the programs. The burst is a hundredth of what comes in
// while they run.
var programLimit = burst(limit(1000, time.Second), 100)

// programs are instances of the real program that share a limit, and clients
// who ask them for twice as much as that allows.
type programs struct {
	urls   []string
	client *http.Client

	began  time.Time
	cancel context.CancelFunc
	asking sync.WaitGroup

	answers [600]atomic.Int64 // by status; 0 is for requests without one
	full    atomic.Int64      // let in when the burst was there again
	failure atomic.Value      // one of those that failed
}

// startPrograms returns once all know of each other.
func startPrograms(t *testing.T, binary string, n int, redis connect.URL) *programs {
	t.Helper()
	p := &programs{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clientsEach + 1}}}
	for range n {
		p.urls = append(p.urls, startProgram(t, binary, "BACKENDS=echo:a",
			"RATE_LIMIT=1000/s", "RATE_LIMIT_BURST=100", "RATE_LIMIT_KEY=global", "RATE_LIMIT_REDIS_URL="+string(redis),
			"OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none", "ACCESS_LOG=off"))
	}
	until(t, "all instances know of each other", func() bool {
		for _, url := range p.urls {
			if s := p.status(t, url); s.Store != policy.StoreRedis || s.Instances != n {
				return false
			}
		}
		return true
	})
	return p
}

// buildProgram builds it as just build and the Containerfile do.
func buildProgram(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "spangate")
	build := exec.Command("go", "build", "-o", binary, "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "spangate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	return binary
}

// startProgram returns the URL at which it listens. At the end of the test it is
// asked to end, and has to do so in peace.
func startProgram(t *testing.T, binary string, env ...string) string {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Env = append([]string{"HOST=127.0.0.1", "PORT=0"}, env...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	address := ""
	for address == "" && lines.Scan() {
		var entry struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "listening" {
			address = entry.Address
		}
	}
	var read sync.WaitGroup
	read.Go(func() {
		for lines.Scan() {
			t.Log(lines.Text())
		}
	})
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		read.Wait()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v", err)
		}
	})
	if address == "" {
		t.Fatal("the program does not listen")
	}
	return "http://" + address
}

type programStatus struct {
	Store     policy.Store
	Instances int
}

// status asks the instance at url who decides.
func (p *programs) status(t *testing.T, url string) programStatus {
	t.Helper()
	resp, err := p.client.Get(url + "/.spangate/status")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var s struct {
		RateLimit programStatus `json:"rate_limit"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status of %s: %s, %v", url, resp.Status, err)
	}
	return s.RateLimit
}

// all reports whether each instance decides by that store.
func (p *programs) all(t *testing.T, store policy.Store) bool {
	t.Helper()
	for _, url := range p.urls {
		if p.status(t, url).Store != store {
			return false
		}
	}
	return true
}

// clientsEach is how many clients each instance has, and clientsEvery how often
// one of them asks.
const (
	clientsEach  = 4
	clientsEvery = 8 * time.Millisecond
)

// ask makes clients ask all instances until the run is over.
func (p *programs) ask() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.began = cancel, time.Now()
	for _, url := range p.urls {
		for range clientsEach {
			p.asking.Go(func() {
				tick := time.NewTicker(clientsEvery)
				defer tick.Stop()
				for {
					select {
					case <-ctx.Done():
						return
					case <-tick.C:
					}
					p.request(url)
				}
			})
		}
	}
}

// request sends one, notes how it was answered, and returns how many more might
// have come: the r of RateLimit, which is of the limit as a whole.
func (p *programs) request(url string) (left int64) {
	resp, err := p.client.Get(url)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if err != nil {
		p.answers[0].Add(1)
		p.failure.Store(err.Error())
		return 0
	}
	if resp.StatusCode == http.StatusOK {
		_, after, _ := strings.Cut(resp.Header.Get("RateLimit"), ";r=")
		if _, err := fmt.Sscanf(after, "%d", &left); err != nil {
			p.answers[0].Add(1)
			p.failure.Store(fmt.Sprintf("RateLimit: %s", resp.Header.Get("RateLimit")))
		}
		if p.allowed() > programLimit.Burst && left >= programLimit.Burst-1 {
			p.full.Add(1)
		}
	}
	p.answers[resp.StatusCode].Add(1)
	return left
}

func (p *programs) allowed() int64 { return p.answers[http.StatusOK].Load() }

// end ends the run. It fails the test unless all requests were let in or refused
// by the limit, and clients got what that gives, within that share. It reports
// whether the run proves something: too few do not when the machine stalled for
// so long that the burst was there again, as clients then could not ask for all.
func (p *programs) end(t *testing.T, percent float64) bool {
	t.Helper()
	p.cancel()
	p.asking.Wait()
	left := int64(0)
	for _, url := range p.urls {
		left = p.request(url)
	}
	took := time.Since(p.began)
	offered := int64(0)
	for status := range p.answers {
		n := p.answers[status].Load()
		offered += n
		switch {
		case n == 0 || status == http.StatusOK || status == http.StatusTooManyRequests:
		case status == 0:
			t.Errorf("%d requests failed: %v", n, p.failure.Load())
		default:
			t.Errorf("%d requests were answered with status %d", n, status)
		}
	}
	t.Logf("%.2f s: %d requests, %.0f/s; %d let in, %d refused, %d left", took.Seconds(), offered, float64(offered)/took.Seconds(),
		p.allowed(), p.answers[http.StatusTooManyRequests].Load(), left)
	got, given := p.allowed()+left, programLimit.Burst+int64(took/programLimit.Interval())
	off := 100 * float64(got-given) / float64(given)
	t.Logf("%d let in or left of %d: %+.2f %%; the burst was there again %d times", got, given, off, p.full.Load())
	switch {
	case off > percent:
		t.Errorf("clients got %.2f %% too much, at most %v %% is right", off, percent)
	case off < -percent && p.full.Load() > 0:
		return false
	case off < -percent:
		t.Errorf("clients got %.2f %% too little, at most %v %% is right", -off, percent)
	}
	return true
}

// attempts repeats a run that proves nothing, with new programs.
func attempts(t *testing.T, run func(t *testing.T) bool) {
	t.Helper()
	for i := range 3 {
		proved := false
		t.Run(fmt.Sprint("attempt ", i+1), func(t *testing.T) { proved = run(t) })
		if proved || t.Failed() {
			return
		}
	}
	t.Error("too slow: no clients could ask for all that the limit gives")
}

func TestProgramsShareALimit(t *testing.T) {
	r := startRedis(t)
	binary := buildProgram(t)
	attempts(t, func(t *testing.T) bool {
		tell(t, r.addr(), "FLUSHALL")
		p := startPrograms(t, binary, 4, r.url())
		p.ask()
		time.Sleep(10 * time.Second)
		return p.end(t, 2)
	})
}

// While Redis is dead each program enforces its share, and clients see nothing.
func TestProgramsOutliveRedis(t *testing.T) {
	r := startRedis(t)
	binary := buildProgram(t)
	attempts(t, func(t *testing.T) bool {
		tell(t, r.addr(), "FLUSHALL")
		p := startPrograms(t, binary, 4, r.url())
		p.ask()
		mark := func(what string) {
			t.Logf("%5.2f s: %s; %d were let in so far", time.Since(p.began).Seconds(), what, p.allowed())
		}
		time.Sleep(4 * time.Second)
		mark("Redis is killed")
		r.kill()
		until(t, "all shares decide", func() bool { return p.all(t, policy.StoreLocal) })
		mark("all shares decide")
		time.Sleep(3 * time.Second)
		mark("Redis is started")
		r.start()
		started := time.Now()
		until(t, "redis decides for all", func() bool { return p.all(t, policy.StoreRedis) })
		back := time.Since(started)
		mark("Redis decides for all")
		time.Sleep(3 * time.Second)
		proved := p.end(t, 10)
		t.Log("back after", back)
		if back > time.Second {
			t.Errorf("it took %v until all were back, more than a second", back)
		}
		for _, url := range p.urls {
			if s := p.status(t, url); s != (programStatus{policy.StoreRedis, 4}) {
				t.Errorf("%s has status %+v in the end", url, s)
			}
		}
		return proved
	})
}
