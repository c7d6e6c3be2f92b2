package wire_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"spangate/handler/certificate/certtest"
	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// slowLimit is how long clients may pause in these tests.
const slowLimit = 16 * time.Second

// Over HTTP/2 a client that takes its answers slowly gets all of them, whether it is its
// connection that is slow, or it opens its windows slowly. One that takes nothing does
// not, and what of it stands still does no harm to what gets on.
func TestSlowReadersOfHTTP2(t *testing.T) {
	const kilo, second = 1 << 10, time.Second
	var idle rate
	for name, test := range map[string]struct {
		window     uint32   // of a stream
		answers    []string // sizes in KiB, or words that slowHandler knows
		socket     rate     // at which the client reads
		stream     rate     // at which it opens the window of each stream but the first one
		first      rate     // the same of that
		connection rate
		want       []string // what becomes of the answers
	}{
		"a slow connection":              {1 << 20, []string{"64"}, rate{kilo, 4 * second}, idle, idle, rate{1 << 20, second}, []string{"whole"}},
		"a slow window":                  {0, []string{"64"}, idle, idle, rate{3 * kilo, 2 * second}, rate{1 << 20, second}, []string{"whole"}},
		"a slow window of all streams":   {1 << 20, []string{"80"}, idle, idle, idle, rate{kilo, 4 * second}, []string{"whole"}},
		"many on a slow connection":      {1 << 20, many("48"), rate{kilo, second}, idle, idle, rate{1 << 20, second}, many("whole")},
		"many in a slow window":          {1 << 20, many("48"), idle, idle, idle, rate{kilo, second}, many("whole")},
		"nothing of the connection":      {1 << 20, []string{"64", "64"}, rate{kilo, time.Hour}, idle, idle, idle, []string{"lost", "lost"}},
		"no window":                      {kilo, []string{"64"}, idle, idle, idle, rate{kilo, second}, []string{"late"}},
		"no window of all streams":       {1 << 20, []string{"80"}, idle, idle, idle, idle, []string{"late"}},
		"no window beside what runs":     {kilo, []string{"64", "20480"}, idle, rate{1 << 20, second}, idle, rate{1 << 20, second}, []string{"late", "whole"}},
		"no window beside what trickles": {kilo, []string{"64", "trickle"}, idle, rate{kilo, second}, idle, rate{kilo, second}, []string{"late", "whole"}},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,tls=%v", name, secure), func(t *testing.T) {
				h := &slowHandler{ended: map[string]slowEnd{}}
				h.serve(t, secure, func(c *slowClient) {
					c.settings(test.window)
					for i, answer := range test.answers {
						c.get(uint32(2*i+1), fmt.Sprintf("/%d/%s", i, answer))
					}
					c.slow.at(test.socket)
					c.granting.Go(func() { c.grant(0, test.connection) })
					for i := range test.answers {
						r := test.stream
						if i == 0 {
							r = test.first
						}
						c.granting.Go(func() { c.grant(uint32(2*i+1), r) })
					}
					began := time.Now()
					c.read(len(test.answers))
					synctest.Wait()
					for i, answer := range test.answers {
						path := fmt.Sprintf("/%d/%s", i, answer)
						if got := c.outcome(uint32(2*i+1), path); got != test.want[i] {
							t.Errorf("%s: %s, want %s", path, got, test.want[i])
						}
						end := h.end(path)
						if took := end.at.Sub(began); test.want[i] != "whole" && (!os.IsTimeout(end.err) || took < slowLimit || took > slowLimit*5/4) {
							t.Errorf("%s: a write ended after %v with %v", path, took, end.err)
						}
					}
				})
			})
		}
	}
}

func many(what string) (all []string) {
	for range 20 {
		all = append(all, what)
	}
	return all
}

// rate is so many bytes, each time after so long. The zero value is as fast as it gets
// for a socket, and nothing for a window.
type rate struct {
	bytes int
	every time.Duration
}

// slowHandler answers as the path says.
type slowHandler struct {
	mu    sync.Mutex
	ended map[string]slowEnd // by path
}

// slowEnd is how writing an answer ended.
type slowEnd struct {
	at  time.Time
	err error
}

func (h *slowHandler) end(path string) slowEnd {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended[path]
}

func (h *slowHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := h.answer(w, r)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended[r.URL.Path] = slowEnd{time.Now(), err}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (h *slowHandler) answer(w http.ResponseWriter, r *http.Request) error {
	content, each, pause := slowContent(r.URL.Path), 32<<10, time.Duration(0)
	if strings.HasSuffix(r.URL.Path, "trickle") {
		each, pause = 10, time.Second
	}
	for len(content) > 0 {
		n := min(each, len(content))
		if _, err := w.Write(content[:n]); err != nil {
			return err
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		content = content[n:]
		time.Sleep(pause)
	}
	return nil
}

// slowContent is what path is answered with.
func slowContent(path string) []byte {
	last := path[strings.LastIndexByte(path, '/')+1:]
	size, err := strconv.Atoi(last)
	if err != nil {
		return bytes.Repeat([]byte("0123456789"), 60)
	}
	content := make([]byte, size<<10)
	for i := range content {
		content[i] = byte(i>>8*31 + i)
	}
	return content
}

// serve has use be a client of h, in a bubble.
func (h *slowHandler) serve(t *testing.T, secure bool, use func(c *slowClient)) {
	t.Helper()
	over := func(ln net.Listener, _ time.Duration) net.Listener { return ln }
	if secure {
		pair := certtest.New(t).Issue(t, x509.Certificate{})
		file := filepath.Join(t.TempDir(), "server.pem")
		certtest.Write(t, file, append(pair.Certificate, pair.Key...))
		var err error
		if over, err = wire.Secured(wire.TLSConfig{CertFiles: []string{file}, MinVersion: tls.VersionTLS12}); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ln := wiretest.NewPipes()
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- wire.Serve(ctx, []net.Listener{over(ln, slowLimit)}, h, wire.Config{
				HeaderTimeout: time.Hour, IdleTimeout: 24 * time.Hour, ClientTimeout: slowLimit, MaxHeaderBytes: 4 << 10, ShutdownTimeout: time.Minute,
			}, slog.New(slog.DiscardHandler))
		}()
		near, far := net.Pipe()
		ln.Accepted <- far
		c := &slowClient{t: t, slow: &slowConn{Conn: near}, got: map[uint32]*slowAnswer{}}
		if c.conn = c.slow; secure {
			c.conn = tls.Client(c.slow, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		}
		use(c)
		near.Close()
		c.granting.Wait()
		leave()
		<-ended
	})
}

// slowConn is a connection that is read slowly.
type slowConn struct {
	net.Conn
	bytes, every atomic.Int64
}

func (c *slowConn) at(r rate) {
	c.bytes.Store(int64(r.bytes))
	c.every.Store(int64(r.every))
}

func (c *slowConn) Read(p []byte) (int, error) {
	if every := c.every.Load(); every > 0 {
		time.Sleep(time.Duration(every))
		p = p[:min(len(p), int(c.bytes.Load()))]
	}
	return c.Conn.Read(p)
}

// slowClient speaks HTTP/2 over a connection that is read slowly.
type slowClient struct {
	t    *testing.T
	slow *slowConn
	conn net.Conn // over slow, or TLS over that
	got  map[uint32]*slowAnswer

	writing  sync.Mutex
	granting sync.WaitGroup
	over     atomic.Bool
}

type slowAnswer struct {
	body         bytes.Buffer
	whole, reset bool
}

func (c *slowClient) write(write func(*http2.Framer) error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return write(http2.NewFramer(c.conn, nil))
}

func (c *slowClient) settings(window uint32) {
	io.WriteString(c.conn, http2.ClientPreface)
	c.write(func(f *http2.Framer) error {
		return f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	})
	if frame, err := http2.NewFramer(nil, c.conn).ReadFrame(); err != nil || frame.Header().Type != http2.FrameSettings {
		c.t.Error(frame, err)
	}
	c.write(func(f *http2.Framer) error { return f.WriteSettingsAck() })
}

func (c *slowClient) get(stream uint32, path string) {
	c.got[stream] = &slowAnswer{}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", path}} {
		encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	c.write(func(f *http2.Framer) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	})
}

// grant opens a window, until reading is over.
func (c *slowClient) grant(stream uint32, r rate) {
	for r.bytes > 0 && !c.over.Load() {
		time.Sleep(r.every)
		if c.write(func(f *http2.Framer) error { return f.WriteWindowUpdate(stream, uint32(r.bytes)) }) != nil {
			return
		}
	}
}

// read reads until so many answers have ended, or the connection has, or it takes too long.
func (c *slowClient) read(answers int) {
	defer c.over.Store(true)
	framer := http2.NewFramer(nil, c.conn)
	c.conn.SetReadDeadline(time.Now().Add(100 * slowLimit))
	for answers > 0 {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		got := c.got[frame.Header().StreamID]
		switch frame := frame.(type) {
		case *http2.DataFrame:
			got.body.Write(frame.Data())
			got.whole = frame.StreamEnded()
		case *http2.RSTStreamFrame:
			got.reset = true
		default:
			continue
		}
		if got.whole || got.reset {
			answers--
		}
	}
	c.conn.Close()
}

// outcome says what became of an answer.
func (c *slowClient) outcome(stream uint32, path string) string {
	got := c.got[stream]
	switch {
	case got.whole && bytes.Equal(got.body.Bytes(), slowContent(path)):
		return "whole"
	case got.whole:
		return fmt.Sprintf("%d bytes that are not what was sent", got.body.Len())
	case got.reset:
		return "late"
	}
	return "lost"
}
