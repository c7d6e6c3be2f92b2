package framing_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/wire/framing"
)

// The frames of RFC 9113 §6 as TestPatience writes them down.
const (
	data byte = iota
	headers
	priority
	reset
	settings
	_
	ping
	goAway
	windowUpdate
	continuation
	unknown byte = 0xbe
)

// frame returns a frame of stream 1.
func frame(kind, flags byte, content string) string {
	header := binary.BigEndian.AppendUint32(nil, uint32(len(content))<<8|uint32(kind))
	return string(append(header, flags, 0, 0, 0, 1)) + content
}

// resetWith returns an RST_STREAM.
func resetWith(code byte) string { return frame(reset, 0, "\x00\x00\x00"+string(code)) }

const endStream, padded = 0x1, 0x8

// TestPatience has a client send, and be sent, the same again and again.
func TestPatience(t *testing.T) {
	const granted = "\x00\x00\x00\x10"
	answer := frame(headers, 0, "h") + frame(data, endStream, "hello")
	large := frame(headers, 0, "h") + strings.Repeat(frame(data, 0, strings.Repeat("x", 16<<10)), 4) + frame(data, endStream, "")
	tests := map[string]struct {
		in, out string
		every   time.Duration
		flood   bool
	}{
		"PING":                                   {in: frame(ping, 0, "12345678"), flood: true},
		"PING, answered":                         {in: frame(ping, 0, "12345678"), out: frame(ping, 1, "12345678"), flood: true},
		"SETTINGS":                               {in: frame(settings, 0, ""), out: frame(settings, 1, ""), flood: true},
		"PRIORITY":                               {in: frame(priority, 0, "12345"), flood: true},
		"WINDOW_UPDATE":                          {in: frame(windowUpdate, 0, granted), flood: true},
		"GOAWAY":                                 {in: frame(goAway, 0, "12345678"), flood: true},
		"CONTINUATION without content":           {in: frame(continuation, 0, ""), flood: true},
		"an unknown type":                        {in: frame(unknown, 0, ""), flood: true},
		"DATA without content":                   {in: frame(data, 0, ""), flood: true},
		"DATA with padding alone":                {in: frame(data, padded, "\x02xx"), flood: true},
		"DATA that says it has more padding":     {in: frame(data, padded, "\x09x"), flood: true},
		"requests cancelled":                     {in: frame(headers, endStream, "h") + resetWith(8), flood: true},
		"requests cancelled behind 100 Continue": {in: frame(headers, endStream, "h") + resetWith(8), out: frame(headers, 0, "h"), flood: true},
		"answers cancelled once they began":      {in: frame(headers, endStream, "h") + resetWith(8), out: frame(headers, 0, "h") + frame(data, 0, "hello")},
		"answers without content":                {in: frame(headers, endStream, "h") + resetWith(8), out: frame(headers, endStream, "h")},
		"requests that the proxy has to reset":   {in: frame(headers, 0, "h"), out: resetWith(1), flood: true},
		"requests on streams beyond the limit":   {in: frame(headers, 0, "h"), out: resetWith(7), flood: true},
		"DATA behind the end":                    {in: frame(data, 0, "x"), out: resetWith(5), flood: true},
		"more cancelled than answered, by far":   {in: strings.Repeat(frame(headers, endStream, "h")+resetWith(8), 4), out: answer, flood: true},
		"answers ended early":                    {in: frame(headers, 0, "h"), out: answer + resetWith(0)},
		"answers that broke off":                 {in: frame(headers, 0, "h"), out: frame(headers, 0, "h") + resetWith(2)},
		"as many cancelled as answered":          {in: strings.Repeat(frame(headers, endStream, "h"), 2) + resetWith(8), out: answer},
		"requests":                               {in: frame(headers, endStream, "h"), out: answer},
		"requests with CONTINUATION":             {in: frame(headers, endStream, "h") + strings.Repeat(frame(continuation, 0, "h"), 4), out: answer},
		"requests with a priority each":          {in: frame(priority, 0, "12345") + frame(headers, endStream, "h") + frame(priority, 0, "12345"), out: answer},
		"uploads in small pieces":                {in: frame(data, 0, "x")},
		"uploads in small pieces with padding":   {in: frame(data, padded, "\x02xyy")},
		"requests that end with empty DATA":      {in: frame(headers, 0, "h") + frame(data, endStream, "")},
		"a window and a PING for each small one": {in: strings.Repeat(frame(windowUpdate, 0, granted), 2) + frame(ping, 0, "12345678"), out: frame(data, 0, "hello")},
		"a window for each piece of 512 bytes":   {in: frame(headers, endStream, "h") + strings.Repeat(frame(windowUpdate, 0, granted), 2*128), out: large},
		"a window for each byte":                 {in: frame(headers, endStream, "h") + strings.Repeat(frame(windowUpdate, 0, granted), 4*16<<10), out: large, flood: true},
		"a PING each second, for hours":          {in: frame(ping, 0, "12345678"), every: time.Second},
		"all streams cancelled each second":      {in: strings.Repeat(frame(headers, endStream, "h")+resetWith(8), 250), every: time.Second},
		"all streams cancelled twice a second":   {in: strings.Repeat(frame(headers, endStream, "h")+resetWith(8), 500), every: time.Second, flood: true},
	}
	for name, test := range tests {
		for _, size := range []int{7, 4096} {
			t.Run(fmt.Sprint(name, "/", size), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client := &clientConn{fixedConn: fixedConn{end: os.ErrDeadlineExceeded}}
					conn := prefaced(t, client)
					for range min(5000, 4<<20/(len(test.in)+len(test.out))) {
						client.rest = []byte(test.in)
						if got, err := readAll(conn, size); err != nil {
							if !test.flood || err != framing.ErrFlood {
								t.Errorf("error %v, want a flood: %t", err, test.flood)
							}
							return
						} else if string(got) != test.in {
							t.Fatalf("%q was read of %q", got, test.in)
						}
						for out := test.out; out != ""; {
							n, err := io.WriteString(conn, out[:min(size, len(out))])
							if err != nil {
								t.Fatal(err)
							}
							out = out[n:]
						}
						time.Sleep(test.every)
					}
					if test.flood {
						t.Error("the connection bears with it")
					}
				})
			})
		}
	}
}

// TestFloodIsToldOf looks at what a client is sent when its patience has run out:
// a GOAWAY that says why, unless it would come in the middle of a frame.
func TestFloodIsToldOf(t *testing.T) {
	const calm = "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x0b"
	answer := frame(ping, 1, "12345678")
	for _, test := range []struct{ sent, want string }{
		{answer, answer + calm},
		{answer[:12], answer[:12]},
		{answer[:4], answer[:4]},
	} {
		client := new(clientConn)
		conn := prefaced(t, client)
		client.rest = []byte(strings.Repeat(frame(ping, 0, "12345678"), 10_000))
		if _, err := readAll(conn, 4096); err != framing.ErrFlood {
			t.Fatalf("error %v, want %v", err, framing.ErrFlood)
		}
		io.WriteString(conn, test.sent)
		conn.Close()
		conn.Close()
		if got := client.written.String(); got != test.want {
			t.Errorf("%q was written, want %q", got, test.want)
		}
	}
}

// prefaced returns a connection on which a preface has come.
func prefaced(t *testing.T, client *clientConn) net.Conn {
	t.Helper()
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	conn := framing.NewConn(client, nil, 0)
	client.rest = []byte(preface)
	got := make([]byte, len(preface))
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatal(err)
	}
	return conn
}

// clientConn is a fixedConn that keeps what is written.
type clientConn struct {
	fixedConn
	written strings.Builder
}

func (c *clientConn) Write(p []byte) (int, error)     { return c.written.Write(p) }
func (c *clientConn) CloseWrite() error               { return nil }
func (c *clientConn) SetReadDeadline(time.Time) error { return nil }

// TestNothingIsReadBehindAnError has net/http say that a connection is over for an
// error, in two pieces.
func TestNothingIsReadBehindAnError(t *testing.T) {
	for code, over := range map[string]bool{"\x00": false, "\x01": true} {
		client := &clientConn{fixedConn: fixedConn{end: os.ErrDeadlineExceeded}}
		conn := prefaced(t, client)
		said := frame(goAway, 0, "\x00\x00\x00\x01\x00\x00\x00"+code+"why")
		for _, piece := range []string{said[:18], said[18:]} {
			client.rest = []byte(frame(headers, 0, "h"))
			if got, err := readAll(conn, 4096); err != nil || len(got) == 0 {
				t.Errorf("code %q: read %q, %v before all was said", code, got, err)
			}
			io.WriteString(conn, piece)
		}
		client.rest = []byte(frame(headers, 0, "h"))
		if got, err := readAll(conn, 4096); (err != nil) != over || (len(got) == 0) != over {
			t.Errorf("code %q: read %q, %v", code, got, err)
		}
		conn.Close()
		if got := client.written.String(); got != said {
			t.Errorf("code %q: %q was written, want %q", code, got, said)
		}
	}
}
