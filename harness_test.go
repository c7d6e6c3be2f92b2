package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"spangate/telemetry/otlptest"
)

// newProgram returns one that is yet to be started, and its collector.
func newProgram(t *testing.T) *program {
	t.Helper()
	p := &program{collector: otlptest.NewServer(t), log: &logLines{address: make(chan string, 1)}}
	p.log.written.L = &p.log.mu
	return p
}

// started returns when p listens. leave, which may be called again, makes it end,
// as it does with the test at the latest; ended is closed when it has.
func (p *program) started(t *testing.T, leave func(), ended <-chan struct{}) {
	t.Helper()
	p.stop = func() {
		leave()
		<-ended
	}
	t.Cleanup(func() {
		p.stop()
		keepsTheContract(t, p.collector)
	})
	select {
	case p.addr = <-p.log.address:
	case <-ended:
		t.FailNow()
	}
}

// sendRaw sends text to addr and returns what comes back until the connection
// ends.
func sendRaw(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%q, then %v", answer, err)
	}
	return string(answer)
}

// listening returns the address of a server that has serve handle each of its
// connections, counted from 1, and then closes it.
func listening(t *testing.T, serve func(conn net.Conn, nth int)) string {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false) // its sockets do not tell what has been received
	ln, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for nth := 1; ; nth++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn, nth)
			}()
		}
	}()
	return ln.Addr().String()
}

// requestsOf returns the address of a server of HTTP/1.1 that has handle answer
// each request, whose body is read, until that returns false.
func requestsOf(t *testing.T, handle func(net.Conn, *http.Request) bool) string {
	t.Helper()
	return listening(t, func(conn net.Conn, _ int) {
		for in := bufio.NewReader(conn); ; {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			io.Copy(io.Discard, r.Body)
			if !handle(conn, r) {
				return
			}
		}
	})
}

// plainBackend serves h until the test ends, and returns its address.
func plainBackend(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// eitherBackend serves h over HTTP/1.1 and over HTTP/2, and returns what to write
// into BACKENDS for each.
func eitherBackend(t *testing.T, h http.HandlerFunc) (http1, h2c string) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, "h2c://" + server.Listener.Addr().String()
}

// h2c returns the address of a server of HTTP/2 with prior knowledge.
func h2c(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	_, url := eitherBackend(t, handle)
	return url
}

// h2cTransport speaks HTTP/2 with prior knowledge.
func h2cTransport(t *testing.T) *http.Transport {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// http2Backend speaks HTTP/2 frame by frame. Each connection's frames are
// handled by the function that it is given; what that returns false for ends
// the connection.
type http2Backend struct {
	conn   net.Conn
	framer *http2.Framer
	nth    int // connection, from 1
	closed bool
}

// newHTTP2Backend returns the address of a backend that handles requests, by
// their streams, as handle says, and its settings.
func newHTTP2Backend(t *testing.T, handle func(b *http2Backend, stream uint32), settings ...http2.Setting) string {
	t.Helper()
	return "h2c://" + listening(t, func(conn net.Conn, nth int) {
		serveHTTP2(&http2Backend{conn: conn, framer: http2.NewFramer(conn, conn), nth: nth}, handle, settings)
	})
}

func serveHTTP2(b *http2Backend, handle func(b *http2Backend, stream uint32), settings []http2.Setting) {
	if _, err := io.ReadFull(b.conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	b.framer.WriteSettings(settings...)
	for !b.closed {
		frame, err := b.framer.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				b.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				b.framer.WritePing(true, frame.Data)
			}
		case *http2.HeadersFrame:
			handle(b, frame.StreamID)
		}
	}
}

// answer ends stream with a status and no content.
func (b *http2Backend) answer(stream uint32, status string) {
	var block bytes.Buffer
	hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: status})
	b.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
}

// begin sends the header of an answer, and content if there is some.
func (b *http2Backend) begin(stream uint32, content string) {
	var block bytes.Buffer
	hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	b.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true})
	if content != "" {
		b.framer.WriteData(stream, false, []byte(content))
	}
}
