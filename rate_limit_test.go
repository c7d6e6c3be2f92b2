package main

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/wiretest"
)

// TestLimitOfTwoInstances has two programs keep one limit between them.
func TestLimitOfTwoInstances(t *testing.T) {
	t.Parallel()
	redis, backend := miniredis.RunT(t), newFront(t)
	var both []*program
	for range 2 {
		p := start(t, "BACKENDS="+backend.URL, "PROBE_MODE=off", "REQUEST_ID_HEADER=off",
			"RATE_LIMIT=3/h", "RATE_LIMIT_REDIS_URL=redis://"+redis.Addr(), "RATE_LIMIT_STORE_TIMEOUT=1m")
		p.await("rate limits are shared")
		both = append(both, p)
	}
	var got strings.Builder
	for i := range 5 {
		text, _ := both[i%2].knock(t, knock{method: "GET"})
		got.WriteString(text)
	}
	const terms = "  Ratelimit-Policy: \"3/h\";q=3;w=3600\n"
	letIn := func(left int) string {
		return fmt.Sprintf("200\n%s  Ratelimit: \"3/h\";r=%d;t=T\n  Got: GET\n", terms, left)
	}
	limited := "429 There were more requests than are let in; Retry-After says when the next one may come.\n" +
		"  Retry-After: T\n" + terms + "  Ratelimit: \"3/h\";r=0;t=T\n"
	if diff := cmp.Diff(letIn(2)+letIn(1)+letIn(0)+limited+limited, got.String()); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}
	if store := both[0].status(t).RateLimit.Store; store != "redis" {
		t.Errorf("status says that the counts are in %s", store)
	}
	both[1].stop()
	wantTree := "GET SERVER Unset http.response.status_code=200\n" +
		"  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed spangate.rate_limit.policy=3/h spangate.rate_limit.limit=3 spangate.rate_limit.remaining=1 spangate.rate_limit.store=redis spangate.rate_limit.key_source=client-ip\n" +
		"  GET CLIENT Unset http.response.status_code=200\n" +
		"GET SERVER Unset http.response.status_code=429 spangate.policy.rejection=rate_limit spangate.policy.reason=limited\n" +
		"  rate_limit INTERNAL Unset spangate.rate_limit.result=denied spangate.rate_limit.policy=3/h spangate.rate_limit.limit=3 spangate.rate_limit.remaining=0 spangate.rate_limit.store=redis spangate.rate_limit.key_source=client-ip\n"
	wantCounted := "policy.rejections map[reason:limited rejection:rate_limit] 1\n" +
		"rate_limit.decisions map[policy:3/h result:allowed store:redis] 1\n" +
		"rate_limit.decisions map[policy:3/h result:denied store:redis] 1\n"
	both[1].checkPolicies(t, wantTree, wantCounted)
}

// talker is a store that, once it is told to, sends a text over and over without
// being asked, on all its connections. Until then it is a Redis.
type talker struct {
	addr  string
	redis string
	text  []byte
	talks atomic.Bool
}

func newTalker(t *testing.T, text string) *talker {
	t.Helper()
	k := &talker{redis: miniredis.RunT(t).Addr(), text: []byte(text)}
	k.addr = wiretest.Listen(t, func(conn net.Conn, _ int) { k.serve(conn) })
	return k
}

func (k *talker) serve(conn net.Conn) {
	redis, err := net.Dial("tcp", k.redis)
	if err != nil {
		return
	}
	defer redis.Close()
	go func() {
		io.Copy(redis, conn)
		redis.Close()
	}()
	answer := make([]byte, 4096)
	for !k.talks.Load() {
		redis.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		n, err := redis.Read(answer)
		if timeout, ok := err.(net.Error); err != nil && !(ok && timeout.Timeout()) {
			return
		}
		if _, err := conn.Write(answer[:n]); err != nil {
			return
		}
	}
	endless := []byte(strings.Repeat(string(k.text), 1+(64<<10)/len(k.text)))
	for _, err := conn.Write(k.text); err == nil; {
		_, err = conn.Write(endless)
	}
}

// A store that talks for ever is one that cannot be asked. It takes no memory to
// speak of, and holds up no stop.
func TestStoreThatTalksForEver(t *testing.T) {
	t.Parallel()
	var before runtime.MemStats // of all that has run here
	runtime.ReadMemStats(&before)
	for name, text := range map[string]string{
		"a line":             "+x",
		"lines":              "+OK\r\n",
		"errors":             "-ERR no\r\n",
		"a text":             "$9223372036854775000\r\nx",
		"long texts":         "$1073741824\r\n" + strings.Repeat("x", 1<<10),
		"a list":             "*1073741824\r\n:1\r\n",
		"lists in lists":     "*1000000\r\n",
		"a map":              "%1073741824\r\n+k\r\n:1\r\n",
		"attributes":         "|1\r\n+k\r\n+v\r\n",
		"pushes":             ">3\r\n+message\r\n+channel\r\n+x\r\n",
		"no end of a length": "*1",
		"what is no reply":   "\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range []string{"redis", "redis, once it was one", "redis+cluster", "redis+sentinel"} {
				scheme, _, joined := strings.Cut(kind, ",")
				store := newTalker(t, text)
				store.talks.Store(!joined)
				url := scheme + "://" + store.addr
				if scheme == "redis+sentinel" {
					url += "?master_name=m"
				}
				p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "RATE_LIMIT=1000/s", "SHUTDOWN_TIMEOUT=2s", "OTEL_SDK_DISABLED=true",
					"RATE_LIMIT_REDIS_URL="+url)
				if joined {
					p.await("rate limits are shared")
					store.talks.Store(true)
				}
				p.await("rate limits are not shared")
				if resp, _ := p.ask(t, "GET", "/", nil); resp.StatusCode != 200 {
					t.Errorf("answered %d", resp.StatusCode)
				}
				stopped := make(chan struct{})
				go func() { defer close(stopped); p.stop() }()
				select {
				case <-stopped:
				case <-time.After(time.Minute): // 2 s, on a machine that is busy
					t.Fatal("it does not stop")
				}
				var after runtime.MemStats
				if runtime.ReadMemStats(&after); after.HeapSys > before.HeapSys+1<<30 {
					t.Errorf("%d MiB of heap, before it were %d", after.HeapSys>>20, before.HeapSys>>20)
				}
			}
		})
	}
}
