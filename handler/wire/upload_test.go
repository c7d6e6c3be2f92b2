package wire_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// TestPausesOfABackendThatTakesContent has a backend take some bytes of an upload at a
// time, with pauses between.
func TestPausesOfABackendThatTakesContent(t *testing.T) {
	const limit = time.Second
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for name, test := range map[string]struct {
		pauses []time.Duration // before another byte is taken; then all is
		early  bool            // the answer's head and a part of its content come first
		want   string
		took   time.Duration
	}{
		"some bytes at a time":          {[]time.Duration{limit * 9 / 10, limit * 9 / 10, limit * 9 / 10}, false, "ok", 3 * limit * 9 / 10},
		"none":                          {[]time.Duration{limit * 9 / 10, 10 * limit}, false, "response_timeout", 0},
		"none once an answer has begun": {[]time.Duration{limit * 9 / 10, 10 * limit, 10 * limit}, true, "ok", 20*limit + limit*9/10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := wire.TransportOver(wire.TransportConfig{ResponseTimeout: limit}, func() net.Conn {
					near, far := net.Pipe()
					go func() {
						defer far.Close()
						in := bufio.NewReaderSize(far, 16) // does not read ahead much
						r, err := http.ReadRequest(in)
						if err != nil {
							t.Error(err)
							return
						}
						rest := answer
						if test.early {
							io.WriteString(far, answer[:len(answer)-1])
							rest = answer[len(answer)-1:]
						}
						for _, pause := range test.pauses {
							time.Sleep(pause)
							if _, err := io.CopyN(io.Discard, r.Body, 32); err != nil {
								return
							}
						}
						io.Copy(io.Discard, r.Body)
						io.WriteString(far, rest)
					}()
					return near
				})
				defer closeIdle(rt)
				r := httptest.NewRequestWithContext(t.Context(), "PUT", "http://backend/", strings.NewReader(strings.Repeat("x", 1000)))
				began := time.Now()
				got := ""
				resp, err := rt.RoundTrip(r)
				if err != nil {
					got = string(fault.Of(t.Context(), err).Type)
				} else {
					content, err := io.ReadAll(resp.Body)
					got = string(content)
					if err != nil {
						got = err.Error()
					}
					resp.Body.Close()
				}
				took := time.Since(began)
				if got != test.want || test.took > 0 && took != test.took {
					t.Errorf("got %q after %v, want %q after %v", got, took, test.want, test.took)
				}
				if test.took == 0 && (took < limit || took > 3*limit) { // by when the last byte was taken
					t.Errorf("after %v", took)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}

// failingConn is a connection of which so many writes succeed.
type failingConn struct {
	net.Conn
	writes int
}

func (c *failingConn) Write(p []byte) (int, error) {
	if c.writes--; c.writes < 0 {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(p)
}

// TestAWriteFailsAfterTheAnswer checks that the failure of a write is not told while
// there is an answer to be read (RFC 9112 §9.5).
func TestAWriteFailsAfterTheAnswer(t *testing.T) {
	tests := map[string]struct {
		writes int      // that succeed
		answer []string // an hour is between its parts
		ends   bool     // the backend closes behind that, or says nothing more
		want   string
		took   time.Duration
	}{
		"an answer":                    {1, []string{"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"}, true, "no", 0},
		"an answer that takes long":    {1, []string{"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nn", "o"}, true, "no", time.Hour},
		"no answer, and the end of it": {1, nil, true, "connection_reset, sent", 0},
		"no answer at all":             {1, nil, false, "connection_reset, sent", 5 * time.Second},
		"nothing could be sent":        {0, nil, false, "connection_reset", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := wire.TransportOver(wire.TransportConfig{}, func() net.Conn {
					near, far := net.Pipe()
					go func() {
						defer far.Close()
						far.Read(make([]byte, 64<<10))
						io.Copy(far, wiretest.Told(time.Hour, test.answer...))
						if !test.ends {
							time.Sleep(2 * time.Hour)
						}
					}()
					return &failingConn{near, test.writes}
				})
				r := httptest.NewRequestWithContext(t.Context(), "PUT", "http://backend/", iotest.OneByteReader(strings.NewReader("sum")))
				r.ContentLength = 3
				began := time.Now()
				got := ""
				resp, err := rt.RoundTrip(r)
				if e, _ := errors.AsType[*fault.Error](err); e != nil {
					if got = string(e.Type); e.Sent {
						got += ", sent"
					}
				} else {
					content, err := io.ReadAll(resp.Body)
					got = string(content)
					if err != nil {
						got = err.Error()
					}
					resp.Body.Close()
				}
				if took := time.Since(began); got != test.want || took != test.took {
					t.Errorf("got %q after %v, want %q after %v", got, took, test.want, test.took)
				}
				time.Sleep(3 * time.Hour)
			})
		})
	}
}

// TestWhatEndsAnUpload has a backend end the connection of a request whose content is
// still awaited, or break its rules, and a client break off: the error is why.
func TestWhatEndsAnUpload(t *testing.T) {
	broken := &fault.RequestBodyError{Err: io.ErrUnexpectedEOF}
	for name, test := range map[string]struct {
		answer string
		silent bool // the backend goes on
		upload io.Reader
		length int64
		want   string
	}{
		"the end":                        {upload: wiretest.Told(time.Hour, "s", "um"), want: "connection_reset: EOF"},
		"malformed":                      {answer: "nonsense\r\n\r\n", upload: wiretest.Told(time.Hour, "s", "um"), want: `malformed_response: malformed message: status line "nonsense"`},
		"a client that breaks off":       {silent: true, upload: io.MultiReader(strings.NewReader("s"), iotest.ErrReader(broken)), want: "client_disconnected: " + broken.Error()},
		"one that does at once":          {silent: true, upload: iotest.ErrReader(broken), want: "client_disconnected: " + broken.Error()},
		"less than was announced":        {silent: true, upload: strings.NewReader("su"), length: 3, want: "client_disconnected: reading the request body: unexpected EOF, 1 bytes before its length"},
		"an attempt that was given up":   {silent: true, upload: iotest.ErrReader(fault.ErrGivenUp), want: "malformed_response: " + fault.ErrGivenUp.Error()},
		"another protocol amid it":       {answer: "HTTP/1.1 101 Switching Protocols\r\n\r\n", upload: wiretest.Told(time.Hour, "s", "um"), want: "malformed_response: malformed message: another protocol amid a request"},
		"a client that breaks off later": {answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", silent: true, upload: io.MultiReader(wiretest.Told(time.Minute, "s", ""), iotest.ErrReader(broken)), want: "client_disconnected: " + broken.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "a client that breaks off later" {
				test.upload = nil // made inside
			}
			synctest.Test(t, func(t *testing.T) {
				upload := test.upload
				switch {
				case upload == nil:
					upload = io.MultiReader(wiretest.Told(time.Minute, "s", ""), iotest.ErrReader(broken))
				case !test.silent:
					upload = wiretest.Told(time.Hour, "s", "um")
				}
				rt := wire.TransportOver(wire.TransportConfig{}, func() net.Conn {
					near, far := net.Pipe()
					go func() {
						defer far.Close()
						http.ReadRequest(bufio.NewReader(far))
						io.WriteString(far, test.answer)
						if test.silent {
							io.Copy(io.Discard, far)
						}
					}()
					return near
				})
				r := httptest.NewRequestWithContext(t.Context(), "PUT", "http://backend/", upload)
				if r.ContentLength = test.length; test.length == 0 {
					r.ContentLength = -1
				}
				resp, err := rt.RoundTrip(r)
				got := ""
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					got = fault.OfBody(t.Context(), err).Error()
				} else {
					got = fault.Of(t.Context(), err).Error()
				}
				if got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

// TestAnAnswerBeforeTheEndOfTheRequest checks that nothing else goes over a connection
// on which a part of a request is missing, and that others are used again.
func TestAnAnswerBeforeTheEndOfTheRequest(t *testing.T) {
	for name, test := range map[string]struct {
		upload []string
		want   int // connections
	}{
		"all of it came": {[]string{"sum"}, 1},
		"a part of it":   {[]string{"s", "um"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				connections := 0
				rt := wire.TransportOver(wire.TransportConfig{}, func() net.Conn {
					near, far := net.Pipe()
					connections++
					go func() {
						defer far.Close()
						serveRequests(far, func(conn net.Conn, r *http.Request) bool {
							io.CopyN(io.Discard, r.Body, int64(len(test.upload[0])))
							fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
							_, err := io.Copy(io.Discard, r.Body)
							return err == nil
						})
					}()
					return near
				})
				r := httptest.NewRequestWithContext(t.Context(), "PUT", "http://backend/", wiretest.Told(time.Hour, test.upload...))
				r.ContentLength = 3
				resp, err := rt.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				if content, err := io.ReadAll(resp.Body); string(content) != "ok" || err != nil {
					t.Errorf("%q, %v", content, err)
				}
				resp.Body.Close()
				synctest.Wait()
				answerTo(t.Context(), rt, "GET")
				if connections != test.want {
					t.Errorf("over %d connections, want %d", connections, test.want)
				}
				closeIdle(rt)
				time.Sleep(2 * time.Hour)
			})
		})
	}
}
