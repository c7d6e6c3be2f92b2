package wire_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

// seen is all that a handler can see of a request, and of the answer before it says
// anything.
type seen struct {
	Method, Target, URL, Proto, Host, Content string
	Length                                    int64
	Close                                     bool
	Header, Trailer, Answer                   http.Header
	Transfer, Form                            []string
	Ended                                     bool // the context
}

func see(w http.ResponseWriter, r *http.Request) seen {
	content, _ := io.ReadAll(r.Body)
	_, ends := r.Context().Deadline()
	return seen{
		Method: r.Method, Target: r.RequestURI, URL: fmt.Sprintf("%#v", *r.URL), Proto: r.Proto, Host: r.Host, Content: string(content),
		Length: r.ContentLength, Close: r.Close, Header: r.Header.Clone(), Trailer: r.Trailer.Clone(), Answer: w.Header().Clone(),
		Transfer: r.TransferEncoding, Form: []string{fmt.Sprint(r.Form, r.PostForm, r.MultipartForm, r.Pattern, r.Response)}, Ended: ends || r.Context().Err() != nil,
	}
}

// What one request leaves behind in memory is not seen by another one, whatever it was
// and whatever its handler made of it.
func TestNothingIsSeenOfOtherRequests(t *testing.T) {
	const plain = "GET /plain HTTP/1.1\r\nHost: plain\r\nAccept: */*\r\n\r\n"
	many := strings.Repeat("X-%d: many\r\n", 90)
	numbers := make([]any, 90)
	for i := range numbers {
		numbers[i] = i
	}
	var mu sync.Mutex
	var plains []seen
	addr := newServing(t, func(w http.ResponseWriter, r *http.Request) {
		now := see(w, r)
		switch r.URL.Path {
		case "/plain":
			mu.Lock()
			defer mu.Unlock()
			now.Close = false
			delete(now.Header, "Connection")
			plains = append(plains, now)
			return
		case "/taken":
			header := http.Header{"X-Taken": {"1"}}
			w.(interface{ TakeHeader(http.Header) }).TakeHeader(header)
		case "/declared":
			w.Header()["Trailer"] = []string{"X-Sum"}
			w.Write([]byte("x"))
			w.Header()["X-Sum"] = []string{"1"}
		case "/interim":
			w.Header()["Link"] = []string{"x"}
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header()["X-Answer"] = []string{"1"}
		w.Header()["Content-Type"] = nil
		r.ParseForm()
		r.Header["X-Added"], r.URL.Fragment, r.URL.RawPath, r.Pattern, r.Host = []string{"1"}, "fragment", "/raw", "pattern", "other"
		*r = *r.WithContext(context.WithValue(r.Context(), exchangeTestKey{}, 1))
		w.WriteHeader(http.StatusTeapot)
	}, time.Second).addr

	for _, test := range []struct{ name, sent string }{
		{"a plain one", plain},
		{"a query", "GET /path?a=1&b=2 HTTP/1.1\r\nHost: a\r\nCookie: secret\r\nAuthorization: secret\r\n\r\n"},
		{"a target that is encoded", "GET /a%2Fb?c HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"an absolute target", "GET http://user@host:1/path HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"content", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"},
		{"chunks and trailers", "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n"},
		{"HTTP/1.0 that stays", "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"},
		{"HTTP/1.0 that goes", "GET / HTTP/1.0\r\n\r\n"},
		{"close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"},
		{"many fields", "GET / HTTP/1.1\r\nHost: a\r\n" + fmt.Sprintf(many, numbers...) + "\r\n"},
		{"one field often", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-One: often\r\n", 40) + "\r\n"},
		{"a header of the handler's", "GET /taken HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"trailers of the answer", "GET /declared HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"an interim response", "GET /interim HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"one that cannot be read", "GET /first?secret=1 HTTP/1.1\r\nHost: a\r\nA: 1\r\nB\r\n\r\n"},
	} {
		for range 3 { // each time in other memory, perhaps
			wiretest.Raw(t, addr, test.sent+plainToEnd)
			wiretest.Raw(t, addr, plain+plainToEnd)
		}
		mu.Lock()
		for _, got := range plains {
			if diff := cmp.Diff(plains[0], got); diff != "" {
				t.Errorf("behind %s (-want +got):\n%s", test.name, diff)
			}
		}
		plains = plains[:1]
		mu.Unlock()
	}
}

// plainToEnd is a plain request that ends its connection.
const plainToEnd = "GET /plain HTTP/1.1\r\nHost: plain\r\nAccept: */*\r\nConnection: close\r\n\r\n"

type exchangeTestKey struct{}

// A context whose end somebody has asked for stays that of its own request, however many
// come after it.
func TestContextsAreNotUsedAgain(t *testing.T) {
	var kept []context.Context
	var ended []<-chan struct{}
	addr := newServing(t, func(_ http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), exchangeTestKey{}, r.RequestURI)
		kept, ended = append(kept, ctx), append(ended, ctx.Done())
	}, time.Second).addr
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer := make([]byte, 1<<10)
	for i := range 20 {
		fmt.Fprintf(conn, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i)
		if _, err := conn.Read(answer); err != nil {
			t.Fatal(err)
		}
	}
	for i, ctx := range kept[:19] { // the last one may be about to end
		select {
		case <-ended[i]:
		default:
			t.Errorf("the context of request %d has not ended", i)
		}
		if ctx.Err() != context.Canceled || ctx.Value(exchangeTestKey{}) != fmt.Sprint("/", i) {
			t.Errorf("the context of request %d has become another one's", i)
		}
	}
}

// What is kept beside the memory of a request is zero when it is there for another one,
// and never that of two.
func TestKeep(t *testing.T) {
	type kept struct{ n int }
	type other struct{ name string }
	addr := newServing(t, func(_ http.ResponseWriter, r *http.Request) {
		seen := map[*kept]bool{}
		for i := range 2 * wire.MaxBeside {
			k := wire.Keep[kept](r.Context())
			if *k != (kept{}) || seen[k] {
				t.Errorf("%d. is %v, seen %t", i, *k, seen[k])
			}
			k.n, seen[k] = 1, true
			o := wire.Keep[other](r.Context())
			if *o != (other{}) {
				t.Error("another type's is not zero")
			}
			o.name = "x"
		}
	}, time.Second).addr
	wiretest.Raw(t, addr, strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 100)+plainToEnd)
	if k := wire.Keep[kept](t.Context()); *k != (kept{}) {
		t.Error("without a request it is not zero")
	}
}

// asking returns a function that sends a request to addr and reads the answer.
func asking(t testing.TB, addr string) func() {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	request := []byte("GET /path?query=1 HTTP/1.1\r\nHost: backend.test\r\nUser-Agent: test/1.0\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n")
	answer := make([]byte, 16<<10)
	conn.Write(request)
	size, err := conn.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		conn.Write(request)
		if _, err := io.ReadFull(conn, answer[:size]); err != nil {
			t.Fatal(err)
		}
	}
}
