package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAnswer(t *testing.T) {
	whole := "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length:  16 \r\n\r\n" + string(body(16))
	for name, test := range map[string]struct {
		answer string
		err    string
	}{
		"whole":            {answer: whole},
		"other status":     {answer: strings.Replace(whole, "200 OK", "502 Bad Gateway", 1), err: "502"},
		"other version":    {answer: strings.Replace(whole, "1.1", "1.0", 1), err: "HTTP/1.0"},
		"other length":     {answer: strings.Replace(whole, "16", "17", 1), err: `Content-Length "17", want 16`},
		"no length":        {answer: strings.Replace(whole, "content-length", "content-type", 1), err: "without Content-Length"},
		"other bytes":      {answer: whole[:len(whole)-1] + "x", err: "other bytes"},
		"head without end": {answer: strings.Repeat("x", mostHead+1), err: "does not end"},
	} {
		for _, size := range []int{1, 7, len(test.answer)} {
			t.Run(fmt.Sprintf("%s, in pieces of %d", name, size), func(t *testing.T) {
				a := answer{body: body(16)}
				for range 2 { // over the same connection
					done, err := takeAll(&a, test.answer, size)
					switch {
					case test.err == "" && (!done || err != nil):
						t.Fatalf("done is %v: %v", done, err)
					case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
						t.Fatalf("got %v, want an error with %q", err, test.err)
					case err != nil:
						return
					}
				}
			})
		}
	}
}

func TestAnswerThatIsTooLong(t *testing.T) {
	a := answer{body: body(16)}
	if _, err := a.take([]byte("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" + string(body(17)))); err == nil {
		t.Error("no error")
	}
}

func takeAll(a *answer, text string, size int) (done bool, err error) {
	for len(text) > 0 {
		n := min(size, len(text))
		if done, err = a.take([]byte(text[:n])); err != nil {
			return false, err
		}
		text = text[n:]
	}
	return done, nil
}

// Everything that clients and backends speak, without a proxy between them.
func TestLoadReachesBackends(t *testing.T) {
	backends, err := cast(t.Context(), t.TempDir(), "backends", "3")
	if err != nil {
		t.Fatal(err)
	}
	defer backends.stop()
	var at []string
	if err := backends.hear(patience, &at); err != nil || len(at) != 3 {
		t.Fatalf("backends at %q: %v", at, err)
	}
	for name, test := range map[string]job{
		"as fast as they are answered": {Protocol: http1, Connections: 8, Size: small},
		"at a rate":                    {Protocol: http1, Connections: 8, Size: small, Rate: 200},
		"several paths":                {Protocol: http1, Connections: 2, Size: small, Paths: 5},
		"large":                        {Protocol: http1, Connections: 4, Size: large},
		"empty":                        {Protocol: http1, Connections: 2, Size: 1},
		"messages":                     {Protocol: websocket, Connections: 8, Size: 64},
	} {
		t.Run(name, func(t *testing.T) {
			test.Address, test.Length = at[1], 100*time.Millisecond
			load, err := newGenerator(test)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				got, err := load.run(test.Length, test.Rate)
				got = got.sum()
				if err != nil || got.Answered == 0 || got.InTime > got.Answered || got.Answered > got.Due || got.P50 > got.P99 {
					t.Errorf("got %+v: %v", got, err)
				}
				if test.Rate > 0 && got.Due != 20 {
					t.Errorf("%d requests were due, want 20", got.Due)
				}
			}
		})
	}
	t.Run("each connection in turn", func(t *testing.T) {
		load, err := newClient(job{Protocol: http1, Address: at[0], Size: small}, 5)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := load.each(7); err != nil || len(got.took) != 7 {
			t.Errorf("got %+v: %v", got, err)
		}
	})
}

// What is not the answer that was asked for ends the job, over each protocol.
func TestLoadRefusesWrongAnswers(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"status":  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) },
		"bytes":   func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, small)) },
		"too few": func(w http.ResponseWriter, _ *http.Request) { w.Write(body(small)[:small-1]) },
		"none":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		for _, p := range []protocol{http1, https, handshake, h2, h2c, websocket} {
			t.Run(name+", "+string(p), func(t *testing.T) {
				address := serveHTTP(t, p, handler)
				load, err := newGenerator(job{Protocol: p, Address: address, Connections: 2, Size: small})
				if err == nil {
					_, err = load.run(time.Second, 0)
				}
				if err == nil {
					t.Error("no error")
				}
			})
		}
	}
}

func TestLoadReadsRightAnswers(t *testing.T) {
	for _, p := range []protocol{http1, https, handshake, h2, h2c} {
		t.Run(string(p), func(t *testing.T) {
			address := serveHTTP(t, p, func(w http.ResponseWriter, _ *http.Request) { w.Write(body(small)) })
			load, err := newGenerator(job{Protocol: p, Address: address, Connections: 2, Size: small})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := load.run(200*time.Millisecond, 0); err != nil || got.Due == 0 {
				t.Errorf("got %+v: %v", got, err)
			}
		})
	}
}

func serveHTTP(t *testing.T, p protocol, handler http.HandlerFunc) (address string) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetHTTP2(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.EnableHTTP2 = true
	if p.secure() {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// The latency of a request that had to wait for its turn counts from when it was due.
func TestLoadThatIsTooMuch(t *testing.T) {
	const pause = 50 * time.Millisecond
	address := serveHTTP(t, http1, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(pause)
		w.Write(body(small))
	})
	load, err := newClient(job{Protocol: http1, Address: address, Size: small}, 1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := load.run(4*pause, 400)
	if err != nil {
		t.Fatal(err)
	}
	got = got.sum()
	if got.Due != 80 || !got.saturated() || got.Answered > 5 || got.P99 < pause*3/2 {
		t.Errorf("got %+v", got)
	}
}

// An answer that nobody asked for is no idle connection's.
func TestLoadIsAnsweredUnasked(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		first, err := ln.Accept()
		if err != nil {
			return
		}
		defer first.Close()
		second, err := ln.Accept()
		if err != nil {
			return
		}
		defer second.Close()
		io.WriteString(second, "HTTP/1.1 408 Request Timeout\r\n\r\n")
		io.Copy(io.Discard, first)
	}()
	load, err := newClient(job{Protocol: http1, Address: ln.Addr().String(), Size: small}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load.each(1); err == nil || !strings.Contains(err.Error(), "not asked") {
		t.Errorf("got %v", err)
	}
}

func TestTallies(t *testing.T) {
	got := tally{Due: 3, InTime: 1, took: []time.Duration{9, 1}}.and(tally{Due: 2, InTime: 2, took: []time.Duration{5}}).sum()
	want := tally{Due: 5, Answered: 3, InTime: 3, P50: 5, P99: 9, took: []time.Duration{1, 5, 9}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(tally{})); diff != "" {
		t.Errorf("tally (-want +got):\n%s", diff)
	}
}
