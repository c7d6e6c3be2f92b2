package abuse

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// opened returns an attack that sends a header that is not whole, and floods with
// what send sends.
func opened(send func(c *peer, i int) error) func(*target) outcome {
	return func(at *target) outcome {
		c, err := at.connect()
		if err != nil {
			return outcome{err: err}
		}
		c.reading().WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(hpack.HeaderField{Name: ":method", Value: "GET"})})
		return c.flood(many, func(i int) error { return send(c, i) })
	}
}

// TestHeaders sends headers without an end, or such as become large only once they
// are read.
func TestHeaders(t *testing.T) {
	attackWith(t, []attack{
		{name: "CONTINUATION without content", strike: opened(func(c *peer, i int) error { return c.WriteContinuation(1, false, nil) })},
		{name: "CONTINUATION without end", strike: opened(func(c *peer, i int) error {
			return c.WriteContinuation(1, false, c.fields(hpack.HeaderField{Name: fmt.Sprintf("n-%d", i), Value: strings.Repeat("0", 100), Sensitive: true}))
		})},
		{name: "CONTINUATION of zeros that Huffman's code makes short", strike: opened(func(c *peer, i int) error {
			return c.WriteContinuation(1, false, c.fields(hpack.HeaderField{Name: "n", Value: strings.Repeat("0", 20<<10), Sensitive: true}))
		})},
		{name: "frames between HEADERS and CONTINUATION", strike: opened(func(c *peer, i int) error { return c.WritePing(false, [8]byte{}) })},
		{name: "HEADERS without content", strike: frames(func(c *peer, i int) error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), EndStream: true, EndHeaders: true})
		})},
		{name: "fields without name and value", strike: frames(func(c *peer, i int) error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), EndStream: true, EndHeaders: true,
				BlockFragment: append(c.fields(hpack.HeaderField{Name: ":method", Value: "GET"}), strings.Repeat("\x00\x00\x00", 5000)...)})
		})},
		{name: "updates of the table's size", strike: frames(func(c *peer, i int) error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), EndStream: true, EndHeaders: true, BlockFragment: []byte(strings.Repeat("\x20\x3f\xe1\x1f", 4000))})
		})},
		{name: "a field that is not in the table", strike: frames(func(c *peer, i int) error {
			return c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), EndStream: true, EndHeaders: true, BlockFragment: []byte{0xff, 0xff, 0xff, 0x0f}})
		})},
	})
}

// TestHeaderBombs refers to one field of the table thousands of times, a byte each,
// on all streams, and takes none of the answers: CVE-2016-6581, CVE-2026-49975.
func TestHeaderBombs(t *testing.T) {
	const streams = 250
	bomb := func(field hpack.HeaderField, times int) func(*target) outcome {
		return func(at *target) outcome {
			c, err := at.connect(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			if err != nil {
				return outcome{err: err}
			}
			c.reading()
			c.request(1, "/other", true, field) // puts it into the table
			block := append([]byte(nil), c.fields(hpack.HeaderField{Name: ":method", Value: "GET"}, hpack.HeaderField{Name: ":scheme", Value: "http"}, hpack.HeaderField{Name: ":path", Value: "/"})...)
			block = append(block, strings.Repeat(string(c.fields(field)), times)...)
			defer c.conn.Close()
			for i := range streams - 1 {
				err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 3), EndStream: true, EndHeaders: true, BlockFragment: block})
				if err != nil {
					return outcome{err: err}
				}
			}
			c.out.Flush()
			time.Sleep(2 * stall())
			return outcome{sent: streams}
		}
	}
	attacks := []attack{
		{name: "a large field, often", stays: true, forwards: streams, strike: bomb(hpack.HeaderField{Name: "x", Value: strings.Repeat("v", 3900)}, 16_000)},
		{name: "a large field, up to the limit", stays: true, forwards: streams, strike: bomb(hpack.HeaderField{Name: "x", Value: strings.Repeat("v", 3900)}, 15)},
		{name: "a tiny field, often", stays: true, forwards: streams, strike: bomb(hpack.HeaderField{Name: "x", Value: ""}, 16_000)},
		{name: "a tiny field, up to the limit", stays: true, forwards: streams, strike: bomb(hpack.HeaderField{Name: "x", Value: ""}, 1900)},
		{name: "crumbs of cookies, up to the limit", stays: true, forwards: streams, strike: bomb(hpack.HeaderField{Name: "cookie", Value: ""}, 1600)},
		{name: "crumbs of cookies, large", stays: true, forwards: streams, strike: bomb(hpack.HeaderField{Name: "cookie", Value: strings.Repeat("c", 3900)}, 15)},
	}
	for i := range attacks {
		attacks[i].env = []string{"GOGC=50"} // what is held counts, not when it is collected
		attacks[i].cpu = 800 * time.Millisecond
	}
	attackWith(t, attacks)
}

// TestRefusedHeadersAreNotKept sends requests that net/http refuses by itself, and
// takes none of the answers: their streams end all the same.
func TestRefusedHeadersAreNotKept(t *testing.T) {
	p := startProxy(t, "CLIENT_TIMEOUT=1s")
	for name, fields := range map[string][]hpack.HeaderField{
		"too large": slices.Repeat([]hpack.HeaderField{{Name: "x", Value: strings.Repeat("v", 3900)}}, 20),
		"malformed": {{Name: "connection", Value: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			const streams = 100
			c, err := p.connect(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			if err != nil {
				t.Fatal(err)
			}
			defer c.conn.Close()
			c.reading()
			for i := range streams {
				c.request(uint32(2*i+1), "/", true, fields...)
			}
			c.out.Flush()
			for deadline := time.Now().Add(patience); c.received(http2.FrameRSTStream) < streams; time.Sleep(10 * time.Millisecond) {
				select {
				case <-c.ended:
					t.Fatal("the connection ended: ", c.goes, c.err)
				default:
				}
				if time.Now().After(deadline) {
					t.Fatalf("of %d streams %d have ended", streams, c.received(http2.FrameRSTStream))
				}
			}
		})
	}
}
