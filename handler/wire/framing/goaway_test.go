package framing_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"spangate/handler/wire/framing"
)

// recordedConn reads what it is given, and keeps what is written to it.
type recordedConn struct {
	net.Conn
	rest    bytes.Buffer
	mu      sync.Mutex
	written bytes.Buffer
}

func (c *recordedConn) Read(p []byte) (int, error) { return c.rest.Read(p) }

func (c *recordedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.written.Write(p)
}

// newHTTP2Conn returns one that has read the preface of HTTP/2.
func newHTTP2Conn() (*framing.Conn, *recordedConn) {
	wire := &recordedConn{}
	wire.rest.WriteString(http2.ClientPreface)
	conn := framing.NewConn(wire, nil, 0)
	io.Copy(io.Discard, conn)
	return conn, wire
}

// serverFrames are some that a server may write. A field block among them goes on
// over three frames.
func serverFrames() []byte {
	var text bytes.Buffer
	f := http2.NewFramer(&text, nil)
	f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 14})
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("abc")})
	f.WriteContinuation(1, false, []byte("def"))
	f.WriteContinuation(1, true, nil)
	f.WriteData(1, false, bytes.Repeat([]byte("x"), 20))
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte("ghi"), EndHeaders: true, EndStream: true})
	f.WriteData(1, true, nil)
	return text.Bytes()
}

// writtenFrames returns what kinds of frames text consists of, and fails the test
// unless it does, and a field block goes on in one piece.
func writtenFrames(t *testing.T, text []byte) (kinds []http2.FrameType) {
	t.Helper()
	f := http2.NewFramer(nil, bytes.NewReader(text))
	for {
		frame, err := f.ReadFrame()
		if err == io.EOF {
			return kinds
		}
		if err != nil {
			t.Fatalf("behind %v: %v", kinds, err)
		}
		if goAway, ok := frame.(*http2.GoAwayFrame); ok && goAway.ErrCode == http2.ErrCodeNo && goAway.LastStreamID != 1<<31-1 {
			t.Errorf("the last stream is %d", goAway.LastStreamID)
		}
		kinds = append(kinds, frame.Header().Type)
	}
}

const firstGoAway = "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00"

// FuzzGoAway has frames written in pieces, and the GOAWAY asked for before one of them.
func FuzzGoAway(f *testing.F) {
	frames := serverFrames()
	for at := range len(frames) + 1 {
		f.Add([]byte{255}, at, false)
		f.Add([]byte{1}, at, true)
		f.Add([]byte{7, 2, 9}, at, at%2 == 0)
	}
	f.Fuzz(func(t *testing.T, sizes []byte, asked int, next bool) {
		conn, wire := newHTTP2Conn()
		frames, whole := serverFrames(), serverFrames()
		for i := 0; len(frames) > 0; i++ {
			if asked <= len(whole)-len(frames) {
				if next {
					conn.GoAwayNext()
				} else {
					conn.GoAway()
				}
				asked = len(whole) + 1
			}
			size := 1
			if len(sizes) > 0 {
				size = max(1, int(sizes[i%len(sizes)]))
			}
			size = min(size, len(frames))
			if n, err := conn.Write(frames[:size]); n != size || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, size, err)
			}
			frames = frames[size:]
		}
		conn.GoAway()
		writtenFrames(t, wire.written.Bytes())
		if rest := bytes.Replace(wire.written.Bytes(), []byte(firstGoAway), nil, 1); !bytes.Equal(rest, whole) && !bytes.Contains(rest, []byte(firstGoAway)) {
			t.Errorf("beside the GOAWAY: %q", rest)
		}
	})
}

func TestGoAway(t *testing.T) {
	t.Run("not before the settings", func(t *testing.T) {
		conn, wire := newHTTP2Conn()
		if conn.GoAway(); wire.written.Len() > 0 {
			t.Errorf("written: %q", wire.written.Bytes())
		}
		conn.Write(serverFrames())
		if got := writtenFrames(t, wire.written.Bytes()); got[0] != http2.FrameSettings || got[1] != http2.FrameGoAway {
			t.Errorf("written: %v", got)
		}
	})
	t.Run("not behind the last", func(t *testing.T) {
		conn, wire := newHTTP2Conn()
		http2.NewFramer(conn, nil).WriteSettings()
		http2.NewFramer(conn, nil).WriteGoAway(3, http2.ErrCodeProtocol, nil)
		before := wire.written.Len()
		if conn.GoAway(); wire.written.Len() != before {
			t.Errorf("written: %v", writtenFrames(t, wire.written.Bytes()))
		}
	})
	t.Run("beside writes", func(t *testing.T) {
		for range 200 {
			conn, wire := newHTTP2Conn()
			frames := serverFrames()
			var both sync.WaitGroup
			both.Go(conn.GoAway)
			both.Go(func() {
				for ; len(frames) > 0; frames = frames[min(5, len(frames)):] {
					conn.Write(frames[:min(5, len(frames))])
				}
			})
			both.Wait()
			if writtenFrames(t, wire.written.Bytes()); bytes.Count(wire.written.Bytes(), []byte(firstGoAway)) != 1 {
				t.Fatalf("written: %q", wire.written.Bytes())
			}
		}
	})
	t.Run("costs nothing before", func(t *testing.T) {
		conn, wire := newHTTP2Conn()
		frames := serverFrames()
		if n := testing.AllocsPerRun(100, func() {
			wire.written.Reset()
			conn.Write(frames)
		}); n > 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
