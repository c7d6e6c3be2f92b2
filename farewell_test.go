package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"spangate/handler/wire/wiretest"
	"spangate/telemetry/otlptest"
)

// framedSocket is one end of a WebSocket, frame by frame.
type framedSocket struct {
	io.Writer
	in    *bufio.Reader
	masks bool // it is a client's
}

// send writes a frame. A mask of zeroes is one.
func (s framedSocket) send(opcode byte, text string) {
	frame := []byte{0x80 | opcode, byte(len(text))}
	if s.masks {
		frame[1] |= 0x80
		frame = append(frame, 0, 0, 0, 0)
	}
	s.Write(append(frame, text...))
}

// next returns the next frame: its opcode in hexadecimal and its content, the code of a
// Close as a number; or how the connection ended.
func (s framedSocket) next() string {
	var header [2]byte
	if _, err := io.ReadFull(s.in, header[:]); err != nil {
		return err.Error()
	}
	if masked := header[1]&0x80 != 0; masked == s.masks {
		return fmt.Sprintf("masked: %v", masked)
	}
	var mask [4]byte
	if !s.masks {
		io.ReadFull(s.in, mask[:])
	}
	text := make([]byte, header[1]&0x7f)
	if _, err := io.ReadFull(s.in, text); err != nil {
		return err.Error()
	}
	for i := range text {
		text[i] ^= mask[i%4]
	}
	if header[0]&0xf == 8 && len(text) >= 2 {
		return fmt.Sprintf("8 %d", binary.BigEndian.Uint16(text))
	}
	return fmt.Sprintf("%x %s", header[0]&0xf, text)
}

// framedBackend returns one that gives each WebSocket to serve.
func framedBackend(t *testing.T, serve func(framedSocket)) string {
	t.Helper()
	return wiretest.Listen(t, func(conn net.Conn, _ int) {
		in := bufio.NewReader(conn)
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n")
		serve(framedSocket{conn, in, false})
	})
}

// echo answers texts, and a Close as it should.
func echo(s framedSocket) {
	for {
		switch frame := s.next(); {
		case frame[:1] == "1":
			s.send(1, frame[2:])
		case frame[:1] == "8":
			s.send(8, "\x03\xe9")
			return
		default:
			return
		}
	}
}

func (p *program) framed(t *testing.T) framedSocket {
	t.Helper()
	s := p.session(t)
	io.WriteString(s, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	resp, err := http.ReadResponse(s.in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", resp, err)
	}
	return framedSocket{s, s.in, true}
}

// At a drain clients and backends of WebSockets are told, and not cut off when they
// answer.
func TestWebSocketsAreToldToLeave(t *testing.T) {
	t.Parallel()
	p := startLimited(t, "true", "BACKENDS=http://"+framedBackend(t, echo), "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=20s")
	sockets := make([]framedSocket, 50)
	for i := range sockets {
		sockets[i] = p.framed(t)
		if i%2 == 0 {
			sockets[i].send(1, "hello")
			if got := sockets[i].next(); got != "1 hello" {
				t.Fatalf("answered: %s", got)
			}
		}
	}
	var clients sync.WaitGroup
	for _, s := range sockets {
		clients.Go(func() {
			if got := s.next(); got != "8 1001" {
				t.Errorf("told %s", got)
			}
			s.send(1, "too late")
			s.send(8, "\x03\xe9")
			if got := s.next(); got != "EOF" {
				t.Errorf("and then %s", got)
			}
		})
	}
	p.stop()
	clients.Wait()
	want := strings.Repeat("GET SERVER Unset http.response.status_code=101 spangate.upgrade.farewell=answered\n  GET CLIENT Unset http.response.status_code=101\n", len(sockets))
	p.checkSpans(t, want, "http.response.status_code", "error.type", "spangate.upgrade.farewell")
	if answered := p.log.named(t, "farewell", "answered"); len(answered) != len(sockets) {
		t.Errorf("the log says it of %d", len(answered))
	}
	if late := p.log.named(t, "level", "WARN"); len(late) > 0 {
		t.Errorf("warned of %v", late)
	}
}

// What came of it is told where an end does not answer, or cannot be told.
func TestWebSocketsThatDoNotLeave(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		backend func(framedSocket)
		before  string // what the client sends
		told    string // what it is sent then
		answers bool
		want    string
	}{
		"a client that does not answer":       {echo, "", "8 1001", false, "Error error.type=shutdown spangate.upgrade.farewell=unanswered"},
		"a backend that does not answer":      {func(s framedSocket) { io.Copy(io.Discard, s.in) }, "", "8 1001", true, "Error error.type=shutdown spangate.upgrade.farewell=unanswered"},
		"a backend that only ends":            {func(s framedSocket) { s.next() }, "", "8 1001", true, "Unset spangate.upgrade.farewell=unanswered"},
		"a frame that cannot be followed":     {func(s framedSocket) { io.Copy(io.Discard, s.in) }, "\x89\x00", "EOF", false, "Error error.type=shutdown"},
		"a client's Close that is unanswered": {func(s framedSocket) { io.Copy(io.Discard, s.in) }, "\x88\x80\x00\x00\x00\x00", "EOF", false, "Error error.type=shutdown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passed := make(chan struct{})
			p := start(t, "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=2s", "BACKENDS=http://"+framedBackend(t, func(s framedSocket) {
				s.in.Peek(len(test.before))
				close(passed)
				test.backend(s)
			}))
			s := p.framed(t)
			io.WriteString(s, test.before)
			<-passed
			left := make(chan struct{})
			go func() { p.stop(); close(left) }()
			if got := s.next(); got != test.told && !(test.told == "EOF" && strings.Contains(got, "reset")) {
				t.Errorf("told %s, want %s", got, test.told)
			}
			if test.answers {
				s.send(8, "\x03\xe9")
			}
			<-left
			if tree, _, _ := strings.Cut(otlptest.Tree(p.collector.Spans(), "error.type", "spangate.upgrade.farewell"), "\n"); tree != "GET SERVER "+test.want {
				t.Errorf("%s, want %s", tree, test.want)
			}
		})
	}
}

// Over HTTP/2 the stream ends as it should, by its end.
func TestWebSocketOverHTTP2IsToldToLeave(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 1)
	p := start(t, "PROBE_MODE=off", "SHUTDOWN_TIMEOUT=8s", "BACKENDS=http://"+agrees(t, asked, func(conn *net.TCPConn, in io.Reader) {
		echo(framedSocket{conn, bufio.NewReader(in), false})
	}))
	ws := p.connect(t, extended(new(net.Dialer).DialContext), "websocket")
	s := framedSocket{ws.out, ws.in, true}
	s.send(1, "hello")
	if got := s.next(); got != "1 hello" {
		t.Fatalf("answered: %s", got)
	}
	go p.stop()
	if got := s.next(); got != "8 1001" {
		t.Errorf("told %s", got)
	}
	s.send(8, "\x03\xe9")
	if got := s.next(); got != "EOF" {
		t.Errorf("and then %s", got)
	}
	p.stop()
	p.checkSpans(t, "CONNECT SERVER Unset spangate.upgrade.farewell=answered\n  GET CLIENT Unset\n", "error.type", "spangate.upgrade.farewell")
}
