package http1

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// TestMemory checks that a reader in which nothing is unread holds none, at whatever
// place in its messages.
func TestMemory(t *testing.T) {
	const chunked = "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, sent := range map[string]string{
		"without content":  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"an empty line":    "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"a length":         "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000),
		"a large head":     "GET /" + strings.Repeat("x", 50000) + " HTTP/1.1\r\nHost: a\r\n\r\n",
		"small chunks":     "POST / HTTP/1.1\r\n" + chunked + "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
		"large chunks":     "POST / HTTP/1.1\r\n" + chunked + "4e20\r\n" + strings.Repeat("x", 20000) + "\r\n0\r\n\r\n",
		"chunks, trailers": "POST / HTTP/1.1\r\n" + chunked + "5\r\nhello\r\n0\r\nX: y\r\n\r\n",
	} {
		for cut, src := range map[string]io.Reader{
			"in one piece": strings.NewReader(sent + sent), "byte by byte": iotest.OneByteReader(strings.NewReader(sent + sent)),
			"with its end": iotest.DataErrReader(strings.NewReader(sent)),
		} {
			t.Run(name+"/"+cut, func(t *testing.T) {
				r := NewReader(src)
				check := func(where string) {
					t.Helper()
					if r.Buffered() == 0 && r.buf != nil {
						t.Errorf("%s: holds %d bytes of memory", where, len(r.buf))
					}
				}
				for {
					_, f, err := r.ReadRequest(64 << 10)
					check("behind a head")
					if err == io.EOF {
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					body := r.RequestBody(f)
					for p := make([]byte, 100); err == nil; _, err = body.Read(p) {
					}
					check("behind content")
					if err != io.EOF {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// TestReader has what comes put, looked at, dropped and read, in any order.
func TestReader(t *testing.T) {
	r := NewReader(strings.NewReader("cd" + strings.Repeat("e", 10000) + "f"))
	r.Put([]byte("a"))
	r.Put([]byte("b"))
	if got := string(r.Peek()); got != "ab" || r.Buffered() != 2 {
		t.Errorf("has %q", got)
	}
	r.Discard(1)
	if err := r.Fill(); err != nil || string(r.Peek()[:3]) != "bcd" {
		t.Errorf("has %q, %v", r.Peek()[:3], err)
	}
	r.Put([]byte(strings.Repeat("g", 20000))) // behind what has come, before what has not
	var p [1]byte
	if n, err := r.Read(p[:]); n != 1 || err != nil || p[0] != 'b' {
		t.Errorf("read %q, %v", p[:n], err)
	}
	got, err := io.ReadAll(r)
	if err != nil || string(bytes.ReplaceAll(got, []byte("e"), nil)) != "cd"+strings.Repeat("g", 20000)+"f" || len(got) != 3+10000+20000 {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if err := r.Fill(); err != io.EOF || r.Buffered() != 0 || r.buf != nil {
		t.Errorf("at the end: %v, %d bytes", err, r.Buffered())
	}
	if err := NewReader(nothing{}).Fill(); err != io.ErrNoProgress {
		t.Errorf("of a source that gives nothing: %v", err)
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// TestTimeouts checks that content can be read on after a deadline.
func TestTimeouts(t *testing.T) {
	for name, sent := range map[string]string{
		"a length": "Content-Length: 5\r\n\r\nhello",
		"chunks":   "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n",
		"neither":  "\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			src := &late{Reader: strings.NewReader("HTTP/1.1 200 OK\r\n" + sent)}
			r := NewReader(src)
			_, f, err := r.ReadResponse(new(Response), http.MethodGet, 1<<10)
			for err == os.ErrDeadlineExceeded {
				_, f, err = r.ReadResponse(new(Response), http.MethodGet, 1<<10)
			}
			if err != nil {
				t.Fatal(err)
			}
			body := r.ResponseBody(f)
			var got []byte
			timeouts := 0
			for p := make([]byte, 3); err != io.EOF; {
				var n int
				n, err = body.Read(p)
				got = append(got, p[:n]...)
				if err == os.ErrDeadlineExceeded {
					timeouts++
				} else if err != nil && err != io.EOF {
					t.Fatal(err)
				}
			}
			if string(got) != "hello" || !body.Ended() || timeouts < 5 {
				t.Errorf("read %q, %d timeouts, ended: %v", got, timeouts, body.Ended())
			}
		})
	}
}

// late times out before each byte.
type late struct {
	io.Reader
	due bool
}

func (l *late) Read(p []byte) (int, error) {
	if l.due = !l.due; l.due {
		return 0, os.ErrDeadlineExceeded
	}
	return l.Reader.Read(p[:1])
}

// TestRequestLineOfARefusedRequest checks what is known of a request that is refused.
func TestRequestLineOfARefusedRequest(t *testing.T) {
	for sent, want := range map[string]string{
		"GET /x HTTP/1.1\r\n\r\n":                                            "GET /x HTTP/1.1",
		"GET /x HTTP/1.1\r\nHost: a\n":                                       "GET /x HTTP/1.1",
		"GET /x HTTP/1.1\r\nHost: " + strings.Repeat("a", 1000):              "GET /x HTTP/1.1",
		"GET /x HTTP/3.0\r\nHost: a\r\n\r\n":                                 "GET /x HTTP/3.0",
		"GET x HTTP/1.1\r\nHost: a\r\n\r\n":                                  "GET x HTTP/1.1",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x,chunked\r\n\r\n": "POST / HTTP/1.1",
		"GET /x HTTP/1.1\r\nHost: a\r\n":                                     "GET /x HTTP/1.1",
		"G@T /x HTTP/1.1\r\nHost: a\r\n\r\n":                                 "",
		"GET /" + strings.Repeat("x", 1000):                                  "",
		"GET /x HTTP/1.1":                                                    "",
		"GET /x\r\n\r\n":                                                     "",
		"":                                                                   "",
	} {
		for _, src := range []io.Reader{strings.NewReader(sent), iotest.OneByteReader(strings.NewReader(sent))} {
			r, _, err := NewReader(src).ReadRequest(500)
			if err == nil {
				t.Fatalf("%q was taken", sent)
			}
			got := ""
			if r != nil {
				got = r.Method + " " + r.RequestURI + " " + r.Proto
			}
			if got != want {
				t.Errorf("%.100q: %q, want %q", sent, got, want)
			}
		}
	}
}
