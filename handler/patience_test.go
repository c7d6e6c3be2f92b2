package handler_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"spangate/handler"
	"spangate/handler/admin"
	"spangate/handler/wire/wiretest"
)

func TestAnUnfinishedUploadHoldsNoConnection(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"answered unread": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "early") },
		"answered in full duplex": func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			io.WriteString(w, "early")
		},
		"answered while it is read": func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			go io.Copy(io.Discard, r.Body)
			io.WriteString(w, "early")
		},
		"aborted": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"waited for": func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, "late")
		},
	}
	for name, h := range handlers {
		for _, framing := range []string{"Content-Length: 100\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n9\r\nabc"} {
			t.Run(name+"/"+framing[:7], func(t *testing.T) {
				conn := dial(t, serve(t, h, patience))
				io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+framing)
				if _, err := io.ReadAll(conn); err != nil && strings.Contains(err.Error(), "timeout") {
					t.Error("the connection is still open")
				}
			})
		}
	}
}

func TestAClientThatDoesNotReadHoldsNoConnection(t *testing.T) {
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(bytes.Repeat([]byte("x"), 1000))
	}), patience)
	conn := dial(t, addr)
	conn.(*net.TCPConn).SetReadBuffer(2048)
	requests := []byte(strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 100))
	for {
		if _, err := conn.Write(requests); err != nil {
			if strings.Contains(err.Error(), "timeout") {
				t.Error("the connection is still open")
			}
			return
		}
	}
}

func TestAnHTTP2ClientWithoutAWindowHoldsNoStream(t *testing.T) {
	h := admin.New(admin.Config{Prefix: "/.spangate"}, handler.Origin{}, admin.Sources{}).Before(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(bytes.Repeat([]byte("x"), 1000))
	}))
	for _, path := range []string{"/", "/.spangate/live"} {
		conn := dial(t, serve(t, h, patience))
		io.WriteString(conn, http2.ClientPreface)
		framer := http2.NewFramer(conn, conn)
		framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for _, field := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", path}} {
			encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
		}
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				t.Fatalf("%s: the stream is still open: %v", path, err)
			}
			if frame.Header().Type == http2.FrameRSTStream {
				break
			}
		}
	}
}

func TestAnUpgradedConnectionEndsWithTheClient(t *testing.T) {
	ended := make(chan struct{})
	addr := rawBackend(t, func(conn net.Conn, _ *http.Request) {
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
		io.Copy(io.Discard, conn) // and says nothing
		close(ended)
	})
	conn := dial(t, newProxy(t, "http", addr).addr)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket, chat\r\n\r\n")
	if _, err := io.ReadFull(conn, make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
	<-ended
}

func TestForwardPassesAKnownLengthWhileItComes(t *testing.T) {
	next := make(chan byte)
	addr := rawBackend(t, func(conn net.Conn, _ *http.Request) {
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
		for b := range next {
			conn.Write([]byte{b})
		}
	})
	r, _ := http.NewRequestWithContext(t.Context(), "GET", newProxy(t, "http", addr).url, nil)
	go func() { next <- 'a' }()
	resp, err := wiretest.Client(t, false).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, want := range "abc" {
		if want != 'a' {
			next <- byte(want) // when the one before has arrived
		}
		b := make([]byte, 1)
		if _, err := io.ReadFull(resp.Body, b); err != nil || b[0] != byte(want) {
			t.Fatalf("got %q, %v", b, err)
		}
	}
	close(next)
}

func TestAnInterimResponseTakesNothingFromTheFinalOne(t *testing.T) {
	addr := rawBackend(t, func(conn net.Conn, _ *http.Request) {
		io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	answer := wiretest.Raw(t, newProxy(t, "http", addr).addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	if _, final, _ := strings.Cut(answer, "\r\n\r\n"); !strings.Contains(final, "Connection: close") {
		t.Errorf("the connection, which is not checked any more, goes on: %q", answer)
	}
}

// In full duplex net/http would close the connection of a client whose body it
// finds unread, with the next request already on the way.
func TestAnUnreadUploadThatCameDoesNotEndTheConnection(t *testing.T) {
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		io.WriteString(w, "early")
	}), patience)
	for name, body := range map[string]string{
		"length":  "Content-Length: 3\r\n\r\nabc",
		"chunked": "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, addr)
			in := bufio.NewReader(conn)
			for i := range 10 {
				io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+body)
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				io.Copy(io.Discard, resp.Body)
			}
		})
	}
}
