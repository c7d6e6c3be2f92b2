package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"spangate/handler/wire/wiretest"
)

// requestsOf returns the address of a server of HTTP/1.1 that has handle answer
// each request, whose body is read, until that returns false.
func requestsOf(t *testing.T, handle func(net.Conn, *http.Request) bool) string {
	t.Helper()
	return wiretest.Listen(t, func(conn net.Conn, _ int) {
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

// refusing returns an address where nothing listens, nor will until the test
// ends: its port is taken.
func refusing(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
}

// saying returns the address of a server that answers each connection's first
// request with text and closes it; with nothing and not at all if text is "".
func saying(t *testing.T, text string) string {
	t.Helper()
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	return wiretest.Listen(t, func(conn net.Conn, _ int) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			return
		}
		if text == "" {
			<-ended
		}
		io.WriteString(conn, text)
	})
}

// replying returns a backend's URL whose answer has that status, and no content.
func replying(t *testing.T, status int) string {
	t.Helper()
	return "http://" + saying(t, fmt.Sprintf("HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status))
}

// alike returns listeners on one port of several addresses of this host.
func alike(t *testing.T, hosts ...string) []net.Listener {
	t.Helper()
	for {
		var listeners []net.Listener
		port := "0"
		for _, host := range hosts {
			ln, err := net.Listen("tcp", net.JoinHostPort(host, port))
			if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
				t.Skipf("this host has no %s", host)
			}
			if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
				t.Fatal(err)
			}
			if err != nil {
				break // somebody else has it there
			}
			_, port, _ = net.SplitHostPort(ln.Addr().String())
			listeners = append(listeners, ln)
		}
		if len(listeners) == len(hosts) {
			return listeners
		}
		for _, ln := range listeners {
			ln.Close()
		}
	}
}

// plainBackend serves h until the test ends, and returns its address.
func plainBackend(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// receiving returns a backend's URL, and the headers of the requests to it.
func receiving(t *testing.T) (url string, received <-chan http.Header) {
	t.Helper()
	headers := make(chan http.Header, 1)
	return plainBackend(t, func(_ http.ResponseWriter, r *http.Request) { headers <- r.Header }), headers
}

// hijack lets serve have the connection of a request, and what is read of it
// beyond that, and closes it then.
func hijack(t *testing.T, w http.ResponseWriter, serve func(conn net.Conn, in io.Reader)) {
	t.Helper()
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	serve(conn, rw)
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

// telling is a backend that answers with what it got: the request's line, the
// fields that are named, and the content.
func telling(t *testing.T, fields ...string) string {
	return plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		var text strings.Builder
		text.WriteString(r.Method + " " + r.RequestURI)
		for _, name := range fields {
			for _, value := range r.Header[http.CanonicalHeaderKey(name)] {
				text.WriteString(" " + name + "=" + value)
			}
		}
		content, err := io.ReadAll(r.Body)
		if err != nil {
			text.WriteString(" " + err.Error())
		}
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, strings.TrimSpace(text.String()+" "+string(content)))
	})
}

// headerBackend tells the fields of each request that begin with prefix,
// underscores for hyphens and whatever the case, and its content.
func headerBackend(t *testing.T, prefix string) (url string, came <-chan string) {
	t.Helper()
	told := make(chan string, 1)
	backend := plainBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		var got []string
		for name, values := range r.Header {
			if strings.HasPrefix(strings.ToLower(strings.ReplaceAll(name, "_", "-")), prefix) {
				got = append(got, name+"="+strings.Join(values, "|"))
			}
		}
		slices.Sort(got)
		body, _ := io.ReadAll(r.Body)
		told <- strings.Join(append(got, string(body)), " ")
	})
	return backend, told
}

// prompted is a backend that answers when, and with the status that, the test
// says.
type prompted struct { // what asks for /hang is never answered
	*httptest.Server
	probes   chan chan<- int // each that has arrived, until it is taken
	statuses chan int        // of requests
}

func newPrompted(t *testing.T) *prompted {
	b := &prompted{probes: make(chan chan<- int), statuses: make(chan int, 8)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := b.statuses
		switch r.URL.Path {
		case "/hang":
			status = nil
		case "/healthz":
			status = make(chan int)
			select {
			case b.probes <- status:
			case <-r.Context().Done():
			}
		}
		select {
		case code := <-status:
			w.WriteHeader(code)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(b.Close)
	return b
}

// probed lets the next probe be answered.
func (b *prompted) probed(status int) { (<-b.probes) <- status }

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
	return "h2c://" + wiretest.Listen(t, func(conn net.Conn, nth int) {
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
