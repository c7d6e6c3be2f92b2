package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Client speaks HTTP/2 frame by frame, as net/http's refuses to send much
// of what a server must withstand.
type http2Client struct {
	t       *testing.T
	conn    net.Conn
	framer  *http2.Framer
	streams uint32
	window  uint32               // that the server grants a stream
	got     map[uint32]*http2Got // by stream
	left    bool                 // the server has sent GOAWAY
	goAways []string             // the last stream and the code of each
	ponged  bool                 // a PING has been answered

	connectionWindow int64 // what may be sent now on all streams together
}

// http2Got is what has come of an answer.
type http2Got struct {
	statuses []string // interim ones first
	header   map[string]string
	body     bytes.Buffer
	reset    string // the code of RST_STREAM
	ended    bool
}

// String is the statuses and the body, or how the stream was reset.
func (g *http2Got) String() string {
	if len(g.statuses) == 0 && g.reset != "" {
		return g.reset
	}
	return strings.TrimSpace(strings.Join(g.statuses, " ") + " " + g.body.String())
}

func newHTTP2Client(t *testing.T, addr string) *http2Client {
	t.Helper()
	return http2ClientOver(t, dial(t, addr))
}

func http2ClientOver(t *testing.T, conn net.Conn) *http2Client {
	t.Helper()
	c := &http2Client{t: t, conn: conn, framer: http2.NewFramer(conn, conn), connectionWindow: 65535, got: map[uint32]*http2Got{}}
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	c.try(c.framer.WriteSettings())
	for c.window == 0 {
		c.read()
	}
	return c
}

func (c *http2Client) try(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// open begins a request with fields, a name and a value each, and ends it there
// if ends is true.
func (c *http2Client) open(ends bool, fields ...string) (stream uint32) {
	c.t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		c.try(encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	stream = 2*c.streams + 1
	c.streams++
	c.got[stream] = &http2Got{header: map[string]string{}}
	c.try(c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: ends}))
	return stream
}

// get is a whole request for path, with more fields, and its answer.
func (c *http2Client) get(path string, more ...string) string {
	c.t.Helper()
	return c.answer(c.open(true, append(request("GET", path), more...)...)).String()
}

// goesOn fails the test unless the connection carries another request, which is
// answered as wanted.
func (c *http2Client) goesOn(want string) {
	c.t.Helper()
	if got := c.get("/next"); got != want || c.left {
		c.t.Errorf("the next request: %s, left: %v", got, c.left)
	}
}

// request are the fields that a request must have.
func request(method, path string) []string {
	return []string{":method", method, ":scheme", "http", ":authority", "x", ":path", path}
}

// data sends content, in frames, once the connection has room for it.
func (c *http2Client) data(stream uint32, ends bool, data string) {
	c.t.Helper()
	for c.connectionWindow < int64(len(data)) {
		c.read()
	}
	c.connectionWindow -= int64(len(data))
	for len(data) > 16<<10 {
		c.try(c.framer.WriteData(stream, false, []byte(data[:16<<10])))
		data = data[16<<10:]
	}
	c.try(c.framer.WriteData(stream, ends, []byte(data)))
}

// answer returns the answer to a request once it is whole.
func (c *http2Client) answer(stream uint32) *http2Got {
	c.t.Helper()
	got := c.got[stream]
	for !got.ended {
		c.read()
	}
	return got
}

// read takes the next frame.
func (c *http2Client) read() {
	c.t.Helper()
	frame, err := c.framer.ReadFrame()
	if err != nil {
		c.t.Fatalf("the connection ended: %v", err)
	}
	got := c.got[frame.Header().StreamID]
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			c.window = 65535
			if window, ok := frame.Value(http2.SettingInitialWindowSize); ok {
				c.window = window
			}
			c.try(c.framer.WriteSettingsAck())
		}
	case *http2.MetaHeadersFrame:
		if status := frame.PseudoValue("status"); status != "" {
			got.statuses = append(got.statuses, status)
		}
		for _, field := range frame.RegularFields() {
			got.header[field.Name] = field.Value
		}
		got.ended = got.ended || frame.StreamEnded()
	case *http2.DataFrame:
		got.body.Write(frame.Data())
		got.ended = got.ended || frame.StreamEnded()
	case *http2.RSTStreamFrame:
		got.reset = fmt.Sprint(frame.ErrCode)
		got.ended = true
	case *http2.WindowUpdateFrame:
		if frame.StreamID == 0 {
			c.connectionWindow += int64(frame.Increment)
		}
	case *http2.PingFrame:
		c.ponged = frame.IsAck()
	case *http2.GoAwayFrame:
		c.left = true
		c.goAways = append(c.goAways, fmt.Sprintf("%#x %v", frame.LastStreamID, frame.ErrCode))
	}
}
