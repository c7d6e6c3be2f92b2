package websocket

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"testing"
)

// conn is a connection of which only what is written counts.
type conn struct {
	io.Reader
	bytes.Buffer
	closed bool
}

func (c *conn) Read(p []byte) (int, error) { return c.Reader.Read(p) }
func (c *conn) Close() error               { c.closed = true; return nil }

func newConn() *conn { return &conn{Reader: bytes.NewReader(nil)} }

// frame returns one of a size; a mask of zeroes leaves the content as it is.
func frame(first byte, size int, mask bool) []byte {
	f := []byte{first, 0}
	switch {
	case size < length16:
		f[1] = byte(size)
	case size <= 0xffff:
		f[1] = length16
		f = binary.BigEndian.AppendUint16(f, uint16(size))
	default:
		f[1] = length64
		f = binary.BigEndian.AppendUint64(f, uint64(size))
	}
	if mask {
		f[1] |= masked
		f = append(f, 0, 0, 0, 0)
	}
	return append(f, bytes.Repeat([]byte{0x88}, size)...)
}

// parse returns the opcodes of the frames that text consists of, and the content of
// the last. It is written apart from what it checks.
func parse(t *testing.T, text []byte, mask bool) (opcodes []byte, last []byte) {
	t.Helper()
	for len(text) > 0 {
		if len(text) < 2 || text[1]&0x80 != 0 != mask {
			t.Fatalf("behind %x: no frame: %x", opcodes, text)
		}
		opcodes = append(opcodes, text[0]&0xf)
		size, at := int(text[1]&0x7f), 2
		if size == 126 {
			size, at = int(text[2])<<8|int(text[3]), 4
		} else if size == 127 {
			size, at = int(binary.BigEndian.Uint64(text[2:])), 10
		}
		var key [4]byte
		if mask {
			at += copy(key[:], text[at:])
		}
		if len(text) < at+size {
			t.Fatalf("behind %x: %d bytes of %d", opcodes, len(text), at+size)
		}
		last = bytes.Clone(text[at : at+size])
		for i := range last {
			last[i] ^= key[i%4]
		}
		text = text[at+size:]
	}
	return opcodes, last
}

// messages are frames of all kinds and sizes; fragments among them.
func messages(mask bool) []byte {
	var all []byte
	for _, f := range []struct {
		first byte
		size  int
	}{{0x81, 5}, {0x89, 0}, {0x02, 125}, {0x8a, 3}, {0x00, 126}, {0x80, 300}, {0xc2, 66_000}, {0x82, 0}} {
		all = append(all, frame(f.first, f.size, mask)...)
	}
	return all
}

// FuzzTunnel has frames come in pieces, and the proxy leave before one of them.
func FuzzTunnel(f *testing.F) {
	for at := range 30 {
		f.Add([]byte{255, 1, 30}, uint32(at), at%2 == 0, []byte(nil))
		f.Add([]byte{1}, uint32(at*13), at%2 == 0, []byte(nil))
	}
	f.Add([]byte{3}, uint32(10), true, []byte("\x88\x82\x00\x00\x00\x00\x03\xe8\x81"))
	f.Add([]byte{3}, uint32(10), false, []byte("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, sizes []byte, asked uint32, toBackend bool, raw []byte) {
		client, backend := newConn(), newConn()
		tunnel := New(client, backend, unheard)
		to, got := tunnel.Client(), client
		if toBackend {
			to, got = tunnel.Backend(), backend
		}
		all := raw
		if raw == nil {
			all = messages(toBackend)
		}
		gone, sent := false, 0
		for i, rest := 0, all; len(rest) > 0; i++ {
			if !gone && sent >= int(asked%uint32(len(all)+1)) {
				tunnel.GoAway()
				gone = tunnel.Told()
			}
			size := 4 << 10
			if i < 2000 && len(sizes) > 0 {
				size = max(1, int(sizes[i%len(sizes)]))
			}
			size = min(size, len(rest))
			if n, err := to.Write(rest[:size]); n != size || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, size, err)
			}
			rest, sent = rest[size:], sent+size
		}
		if raw != nil {
			if !gone && !bytes.Equal(got.Bytes(), raw) {
				t.Fatalf("%x became %x", raw, got.Bytes())
			}
			return
		}
		if tunnel.GoAway(); !tunnel.Told() {
			t.Fatal("frames that are well-formed are not followed")
		}
		opcodes, last := parse(t, got.Bytes(), toBackend)
		if string(last) != "\x03\xe9" || bytes.Count(opcodes, []byte{8}) != 1 || opcodes[len(opcodes)-1] != 8 {
			t.Errorf("frames %x, the last with %x", opcodes, last)
		}
		if !bytes.HasPrefix(all, got.Bytes()[:got.Len()-len(closing(toBackend))]) {
			t.Error("what goes before is not what was sent")
		}
	})
}

func TestGoAway(t *testing.T) {
	goodbye := func(mask bool) []byte {
		f := frame(0x88, 2, mask)
		copy(f[len(f)-2:], "\x03\xe8")
		return f
	}
	t.Run("both ends answer", func(t *testing.T) {
		client, backend := newConn(), newConn()
		tunnel := New(client, backend, unheard)
		if tunnel.GoAway(); !tunnel.Told() || client.String() != "\x88\x02\x03\xe9" {
			t.Fatalf("the client is told %x", client.Bytes())
		}
		if opcodes, last := parse(t, backend.Bytes(), true); string(opcodes) != "\x08" || string(last) != "\x03\xe9" {
			t.Fatalf("the backend is told %x", backend.Bytes())
		}
		told := backend.Len()
		tunnel.Backend().Write(append(frame(0x81, 5, true), goodbye(true)[:3]...))
		if client.closed {
			t.Error("the client is closed before its answer has come")
		}
		tunnel.Backend().Write(goodbye(true)[3:])
		if !client.closed || backend.closed || tunnel.Answered() || backend.Len() != told {
			t.Errorf("the client's answer: closed %v, the backend %v, and sent %x", client.closed, backend.closed, backend.Bytes()[told:])
		}
		tunnel.Client().Write(goodbye(false))
		if !backend.closed || !tunnel.Answered() || client.Len() != 4 {
			t.Errorf("the backend's answer: closed %v", backend.closed)
		}
	})
	t.Run("one that says goodbye by itself", func(t *testing.T) {
		client, backend := newConn(), newConn()
		tunnel := New(client, backend, unheard)
		tunnel.Backend().Write(goodbye(true))
		if tunnel.GoAway(); tunnel.Told() || client.Len() > 0 || !bytes.Equal(backend.Bytes(), goodbye(true)) {
			t.Errorf("the client is told %x, the backend %x", client.Bytes(), backend.Bytes())
		}
		tunnel.Client().Write(goodbye(false))
		if client.closed || backend.closed || !bytes.Equal(client.Bytes(), goodbye(false)) {
			t.Error("an end that was not told is closed")
		}
	})
	t.Run("a goodbye within a frame to the other", func(t *testing.T) {
		client, backend := newConn(), newConn()
		tunnel := New(client, backend, unheard)
		text := frame(0x81, 100, false)
		tunnel.Client().Write(text[:50])
		tunnel.GoAway()
		tunnel.Backend().Write(goodbye(true))
		if client.closed {
			t.Fatal("the client is closed within a frame")
		}
		tunnel.Client().Write(append(text[50:], frame(0x81, 9, false)...))
		if want := append(text, closing(false)...); !client.closed || !bytes.Equal(client.Bytes(), want) {
			t.Errorf("the client is sent %x, want %x", client.Bytes(), want)
		}
	})
	for name, text := range map[string][]byte{
		"no mask":                   frame(0x81, 1, false),
		"a Ping of 126 bytes":       frame(0x89, 126, true),
		"a Ping in fragments":       frame(0x09, 1, true),
		"a length beyond all":       {0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0},
		"a length of another width": append([]byte{0x81, 0xfe, 0, 1, 0, 0, 0, 0, 'x'}, frame(0x81, 3, false)...),
	} {
		t.Run("what cannot be followed/"+name, func(t *testing.T) {
			client, backend := newConn(), newConn()
			tunnel := New(client, backend, unheard)
			tunnel.Backend().Write(text)
			tunnel.Client().Write(frame(0x81, 1, false))
			if tunnel.GoAway(); tunnel.Told() || !bytes.Equal(backend.Bytes(), text) || client.Len() != 3 {
				t.Errorf("the client is told %x, the backend %x", client.Bytes(), backend.Bytes())
			}
		})
	}
	t.Run("beside writes", func(t *testing.T) {
		for range 200 {
			client, backend := newConn(), newConn()
			tunnel := New(client, backend, unheard)
			var all sync.WaitGroup
			for end, mask := range map[io.Writer]bool{tunnel.Client(): false, tunnel.Backend(): true} {
				all.Go(func() {
					for rest := messages(mask)[:700]; len(rest) > 0; rest = rest[min(7, len(rest)):] {
						end.Write(rest[:min(7, len(rest))])
					}
				})
			}
			all.Go(tunnel.GoAway)
			all.Wait()
			for got, mask := range map[*conn]bool{client: false, backend: true} {
				text := got.Bytes()
				if told := bytes.Contains(text, []byte("\x88\x02\x03\xe9")); !mask && told {
					if _, last := parse(t, text, mask); string(last) != "\x03\xe9" {
						t.Fatalf("the last frame holds %x", last)
					}
				}
			}
		}
	})
}

// Who reads along must cost next to nothing.
func BenchmarkTunnel(b *testing.B) {
	discard := struct {
		io.Reader
		io.Writer
		io.Closer
	}{bytes.NewReader(nil), io.Discard, io.NopCloser(nil)}
	for name, text := range map[string][]byte{"small frames": bytes.Repeat(frame(0x81, 20, false), 1000), "large ones": frame(0x82, 32<<10, false)} {
		b.Run(name, func(b *testing.B) {
			end := New(discard, discard, unheard).Client()
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				end.Write(text)
			}
		})
	}
}
