package main

import (
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

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
	k.addr = listening(t, func(conn net.Conn, _ int) { k.serve(conn) })
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
				var memory runtime.MemStats
				if runtime.ReadMemStats(&memory); memory.HeapSys > 1<<30 {
					t.Errorf("%d MiB of heap", memory.HeapSys>>20)
				}
			}
		})
	}
}
