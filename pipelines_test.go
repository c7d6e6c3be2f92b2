package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pipelined are requests that can stand behind one another, and the answer to each:
// status, content or the length of it that HEAD is told, and trailer. %d is a number.
var pipelined = []struct{ request, answer string }{
	{"GET /sized?%d HTTP/1.1\r\nHost: a\r\n\r\n", "200 sized"},
	{"GET /chunks?%d HTTP/1.1\r\nHost: a\r\n\r\n", "200 chunks"},
	{"GET /large?%d HTTP/1.1\r\nHost: a\r\n\r\n", "200 " + strings.Repeat("large", 10_000)},
	{"GET /empty?%d HTTP/1.1\r\nHost: a\r\n\r\n", "200 "},
	{"GET /trailer?%d HTTP/1.1\r\nHost: a\r\n\r\n", "200 content, then end"},
	{"GET /hints?%d HTTP/1.1\r\nHost: a\r\n\r\n", "200 hinted"},
	{"HEAD /sized?%d HTTP/1.1\r\nHost: a\r\n\r\n", "200 5"},
	{"HEAD /chunks?%d HTTP/1.1\r\nHost: a\r\n\r\n", "200 -1"},
	{"GET /304?%d HTTP/1.1\r\nHost: a\r\n\r\n", "304 "},
	{"GET /204?%d HTTP/1.1\r\nHost: a\r\n\r\n", "204 "},
	{"GET /500?%d HTTP/1.1\r\nHost: a\r\n\r\n", "500 "},
	{"GET /.spangate/live?%d HTTP/1.1\r\nHost: a\r\n\r\n", "200 ok\n"},
	{"TRACE /?%d HTTP/1.1\r\nHost: a\r\n\r\n", "405"},
	{"GET /?%d HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", "417"},
	{"POST /echo?%d HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n", "200 GET / HTTP/1.1\r\n\r\n"},
	{"POST /echo?%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0002;x\r\nbc\r\n0\r\nX: y\r\n\r\n", "200 abc"},
	{"POST /echo?%d HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("b", 20_000), "200 " + strings.Repeat("b", 20_000)},
	{"POST /echo?%d HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nc\r\n", "200 c"},
	{"GET /sized?%d HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "200 sized"},
	{"HEAD /sized?%d HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "200 5"},
	{"GET /304?%d HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "304 "},
}

// answerOfAllKinds is a backend's, to pipelined requests. Each says which one it is to.
func answerOfAllKinds(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Number", r.URL.RawQuery)
	switch kind := r.URL.Path[1:]; kind {
	case "sized":
		w.Header().Set("Content-Length", "5")
		io.WriteString(w, kind)
	case "chunks":
		io.WriteString(w, kind[:3])
		w.(http.Flusher).Flush()
		io.WriteString(w, kind[3:])
	case "large":
		io.WriteString(w, strings.Repeat(kind, 10_000))
	case "trailer":
		w.Header().Set("Trailer", "X-End")
		io.WriteString(w, "content")
		w.Header().Set("X-End", "end")
	case "hints":
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "hinted")
	case "echo":
		content, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Write(content)
	case "304", "204", "500":
		status, _ := strconv.Atoi(kind)
		w.WriteHeader(status)
	}
}

// TestPipelines sends hundreds of requests, in one piece or several, and wants as many
// answers, in that order, and the end behind the last.
func TestPipelines(t *testing.T) {
	t.Parallel()
	const many = 400
	var all strings.Builder
	for i := range many {
		fmt.Fprintf(&all, pipelined[i%len(pipelined)].request, i)
	}
	fmt.Fprintf(&all, "GET /sized?%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", many)
	for way, dial := range bothWays(t, "BACKENDS="+plainBackend(t, answerOfAllKinds)) {
		for _, size := range []int{all.Len(), 8192, 1009, 61} {
			t.Run(fmt.Sprintf("%s, %d bytes at a time", way, size), func(t *testing.T) {
				t.Parallel()
				conn := dial(t)
				sent := make(chan error, 1)
				go func() {
					var err error
					for piece := range slices.Chunk([]byte(all.String()), size) {
						if _, err = conn.Write(piece); err != nil {
							break
						}
					}
					sent <- err
				}()
				for i := range many + 1 {
					want := pipelined[0]
					if i < many {
						want = pipelined[i%len(pipelined)]
					}
					got, number := conn.answer(t, strings.Fields(want.request)[0])
					got = got[:min(len(got), max(3, len(want.answer)))] // details are left out
					if got != want.answer || number != "" && number != strconv.Itoa(i) {
						t.Fatalf("request %d, %.40q, is answered %.500q, as the one with number %q; want %.500q", i, want.request, got, number, want.answer)
					}
				}
				conn.ended(t)
				if err := <-sent; err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// answer reads an answer as the pipelined ones say it, which interim ones may precede,
// and which request it is to.
func (s session) answer(t *testing.T, method string) (answer, number string) {
	t.Helper()
	resp, content := s.response(t, method)
	for resp.StatusCode < 200 {
		resp, content = s.response(t, method)
	}
	if method == "HEAD" {
		content = fmt.Sprint(resp.ContentLength)
	}
	for _, end := range resp.Trailer["X-End"] {
		content += ", then " + end
	}
	return fmt.Sprint(resp.StatusCode, " ", content), resp.Header.Get("X-Number")
}

// TestRequestsBehindAStream has a client send its next requests while the answer to one
// is still on its way, and the program has begun to look after who waits for it.
func TestRequestsBehindAStream(t *testing.T) {
	t.Parallel()
	going := make(chan bool)
	ways := bothWays(t, "BACKENDS="+plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/stream" {
			answerOfAllKinds(w, r)
			return
		}
		if r.URL.RawQuery != "late" {
			io.WriteString(w, "st")
			w.(http.Flusher).Flush()
		}
		<-going
		io.WriteString(w, "ream")
	}))
	const first, second = "GET /sized?1 HTTP/1.1\r\nHost: a\r\n\r\n", "POST /echo?2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
	for way, dial := range ways {
		for name, ahead := range map[string]string{
			"nothing":                       "",
			"one byte":                      first[:1],
			"half a head":                   first[:20],
			"all but a byte":                first[:len(first)-1],
			"a request":                     first,
			"a request and half of another": first + second[:len(second)-3],
			"two requests":                  first + second,
			"an empty line":                 "\r\n",
		} {
			for _, stream := range []string{"/stream", "/stream?late"} {
				t.Run(way+"/"+name+" ahead of "+stream, func(t *testing.T) {
					conn := dial(t)
					fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", stream)
					if stream == "/stream" {
						conn.in.Peek(1)
					}
					time.Sleep(30 * time.Millisecond) // it waits 20 ms before it looks
					io.WriteString(conn, ahead)
					going <- true
					got, _ := conn.answer(t, "GET")
					if want := map[string]string{"/stream": "200 stream", "/stream?late": "200 ream"}[stream]; got != want {
						t.Errorf("the stream is %q, want %q", got, want)
					}
					rest := first + second
					if ahead == "\r\n" {
						rest = ahead + rest
					}
					io.WriteString(conn, rest[len(ahead):])
					for i, want := range []string{"200 sized", "200 hello"} {
						if got, number := conn.answer(t, "GET"); got != want || number != strconv.Itoa(i+1) {
							t.Errorf("answer %s is %q, want %q", number, got, want)
						}
					}
				})
			}
		}
	}
}

// TestContentThatWaits sends contents that wait for a 100, or do not, and another request
// behind where the connection is to be kept.
func TestContentThatWaits(t *testing.T) {
	t.Parallel()
	ways := bothWays(t, "BACKENDS="+plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		answerOfAllKinds(w, r)
	}))
	const sized, chunks = "Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"
	const end = "GET /sized?end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	for name, test := range map[string]struct {
		head, content string
		waits         bool // for the first answer, before it sends the content
		want          string
	}{
		"a length, awaited":              {"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + sized, "hello", true, "100 200 200"},
		"chunks, awaited":                {"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n" + chunks, "5\r\nhello\r\n0\r\n\r\n", true, "100 200 200"},
		"a length at once":               {"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + sized, "hello", false, "100 200 200"},
		"chunks at once":                 {"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + chunks, "5\r\nhello\r\n0\r\n\r\n", false, "100 200 200"},
		"no content":                     {"GET /sized HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", "", false, "200 200"},
		"a length of 0":                  {"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", "", false, "200 200"},
		"HTTP/1.0":                       {"POST /echo HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n" + sized, "hello", false, "200 200"},
		"refused, awaited":               {"POST /refuse HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + sized, "", true, "403"},
		"refused by the program":         {"TRACE / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + sized, "", true, "405"},
		"refused by the program at once": {"TRACE / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + sized, "hello", false, "405 200"},
		"another":                        {"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: x\r\n" + sized, "", true, "417"},
		"another, and content at once":   {"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: x\r\n" + sized, "hello", false, "417 200"},
	} {
		for way, dial := range ways {
			t.Run(way+"/"+name, func(t *testing.T) {
				conn := dial(t)
				var got []string
				next := func() *http.Response {
					resp, err := http.ReadResponse(conn.in, nil)
					if err != nil {
						t.Fatalf("behind %v: %v", got, err)
					}
					io.Copy(io.Discard, resp.Body)
					got = append(got, strconv.Itoa(resp.StatusCode))
					return resp
				}
				var last *http.Response
				if test.waits {
					io.WriteString(conn, test.head)
					last = next()
					io.WriteString(conn, test.content+end)
				} else {
					io.WriteString(conn, test.head+test.content+end)
				}
				for last == nil || !last.Close {
					last = next()
				}
				conn.ended(t)
				if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
					t.Errorf("answers (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestBytesAheadOfASwitch has a client send what is of another protocol together with
// its request for that, and a backend with its consent.
func TestBytesAheadOfASwitch(t *testing.T) {
	t.Parallel()
	ways := bothWays(t, "BACKENDS="+plainBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		hijack(t, w, func(conn net.Conn, in io.Reader) {
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nconsent ")
			io.Copy(conn, in)
		})
	}))
	for way, dial := range ways {
		for _, size := range []int{0, 1, 4000, 8192, 30_000} {
			t.Run(fmt.Sprintf("%s/%d", way, size), func(t *testing.T) {
				conn := dial(t)
				ahead := strings.Repeat("a", size)
				io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"+ahead)
				if resp, _ := conn.response(t, "GET"); resp.StatusCode != http.StatusSwitchingProtocols {
					t.Fatalf("answered %s", resp.Status)
				}
				io.WriteString(conn, " behind")
				conn.Conn.(interface{ CloseWrite() error }).CloseWrite()
				if got, err := io.ReadAll(conn.in); string(got) != "consent "+ahead+" behind" || err != nil {
					t.Errorf("%d bytes, %.20q, %v", len(got), got, err)
				}
			})
		}
	}
}
