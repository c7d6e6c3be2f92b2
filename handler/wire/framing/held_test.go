package framing_test

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"spangate/handler/wire/framing"
)

// pieces keeps each write by itself.
type pieces struct {
	net.Conn
	written []string
}

func (p *pieces) Write(b []byte) (int, error) {
	p.written = append(p.written, string(b))
	return len(b), nil
}

func (p *pieces) Close() error { return nil }

// frameOf returns what f writes.
func frameOf(f func(*http2.Framer) error) string {
	var text bytes.Buffer
	f(http2.NewFramer(&text, nil))
	return text.String()
}

func headersFrame(stream uint32, whole, last bool) string {
	return frameOf(func(f *http2.Framer) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte("abc"), EndHeaders: whole, EndStream: last})
	})
}

func TestHeaderIsWrittenWithTheBody(t *testing.T) {
	settings := frameOf(func(f *http2.Framer) error { return f.WriteSettings() })
	header, other := headersFrame(1, true, false), headersFrame(3, true, false)
	begun, all := headersFrame(1, false, false), headersFrame(1, true, true)
	data := frameOf(func(f *http2.Framer) error { return f.WriteData(1, true, []byte("content")) })
	large := frameOf(func(f *http2.Framer) error { return f.WriteData(1, false, make([]byte, 8<<10)) })
	for name, test := range map[string]struct {
		told   bool
		writes []string
		goAway bool // is asked for in the end
		want   []string
	}{
		"header and body":                 {true, []string{settings, header, data}, false, []string{settings, header + data}},
		"nobody has said so":              {false, []string{settings, header, data}, false, []string{settings, header, data}},
		"one alone":                       {true, []string{settings, header, data, other, data}, false, []string{settings, header + data, other, data}},
		"a second header":                 {true, []string{settings, header, other, data}, false, []string{settings, header + other, data}},
		"behind a large body":             {true, []string{settings, large + header, data}, false, []string{settings, large + header, data}},
		"an answer without a body":        {true, []string{settings, all, data}, false, []string{settings, all, data}},
		"a header that goes on":           {true, []string{settings, begun}, false, []string{settings, begun}},
		"within a frame":                  {true, []string{settings, header + data[:5], data[5:]}, false, []string{settings, header + data[:5], data[5:]}},
		"nothing follows":                 {true, []string{settings, header}, false, []string{settings, header}},
		"a client that is asked to leave": {true, []string{settings, header}, true, []string{settings, header + firstGoAway}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				below := &pieces{}
				conn := framing.NewConn(below, nil, 0)
				if test.told {
					conn.HoldHeader()
				}
				for _, p := range test.writes {
					if n, err := conn.Write([]byte(p)); n != len(p) || err != nil {
						t.Errorf("Write: %d of %d, %v", n, len(p), err)
					}
				}
				if test.goAway {
					conn.GoAway()
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if diff := cmp.Diff(test.want, below.written); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// reads counts how often it is read from.
type reads struct {
	net.Conn
	from  io.Reader
	count int
}

func (r *reads) Read(p []byte) (int, error) {
	r.count++
	return r.from.Read(p)
}

func TestFramesAreReadAtOnce(t *testing.T) {
	sent := http2.ClientPreface + frameOf(func(f *http2.Framer) error { return f.WriteSettings() }) + headersFrame(1, true, true)
	below := &reads{from: bytes.NewBufferString(sent[3:])}
	conn := framing.NewConn(below, []byte(sent[:3]), 0)
	got := make([]byte, len(sent))
	for at := range got {
		if _, err := io.ReadFull(conn, got[at:at+1]); err != nil {
			t.Fatal(err)
		}
	}
	if string(got) != sent || below.count != 1 {
		t.Errorf("%q came in %d reads, want %q in one", got, below.count, sent)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the end: %d, %v", n, err)
	}
}
