package wire_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

func TestServeRefusesAmbiguousFraming(t *testing.T) {
	s := newServing(t, func(w http.ResponseWriter, r *http.Request) {
		clear(r.Header) // which is the handler's to use
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%s %s %q", r.Method, r.URL, body)
	}, 100*time.Millisecond)
	post := "POST / HTTP/1.1\r\nHost: x\r\n"
	tests := map[string]struct{ request, want string }{
		"both lengths":                          {post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		"both lengths, the other way round":     {post + "transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n", "400"},
		"two lengths that differ":               {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
		"two lengths that agree":                {post + "Content-Length: 2\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab", "200"},
		"a length with a sign":                  {post + "Content-Length: +1\r\n\r\na", "400"},
		"a list of lengths":                     {post + "Content-Length: 1, 1\r\n\r\na", "400"},
		"chunks in HTTP/1.0":                    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		"another coding":                        {post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400"},
		"another coding below chunked":          {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
		"a folded line":                         {"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", "400"},
		"a folded first line":                   {"GET / HTTP/1.1\r\n Host: x\r\n\r\n", "400"},
		"a line that ends in a bare LF":         {"GET / HTTP/1.1\nHost: x\r\n\r\n", "400"},
		"a field that ends in a bare LF":        {"GET / HTTP/1.1\r\nHost: x\r\nX: a\nY: b\r\n\r\n", "400"},
		"a header that ends in a bare LF":       {"GET / HTTP/1.1\r\nHost: x\r\n\n", "400"},
		"a bare CR":                             {"GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", "400"},
		"a space before the colon":              {"GET / HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n", "400"},
		"a bad name":                            {"GET / HTTP/1.1\r\nHost: x\r\nX(: a\r\n\r\n", "400"},
		"two hosts":                             {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
		"an empty line before the request":      {"\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200"},
		"two empty lines before the request":    {"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
		"a bare CR before the request":          {"\rGET / HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
		"a space after a chunk's size":          {post + "Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n", "400"},
		"a chunk's size with a sign":            {post + "Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n", "400"},
		"a chunk's size in bare LF":             {post + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", "400"},
		"a chunk's end in bare LF":              {post + "Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n", "400"},
		"a chunk too long":                      {post + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "400"},
		"a huge chunk":                          {post + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "400"},
		"a folded trailer":                      {post + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n b\r\n\r\n", "400"},
		"chunks with extensions":                {post + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1;a=b\r\na\r\n0\r\nX: y\r\n\r\n", "200"},
		"a bad request after a good one":        {post + "Content-Length: 1\r\n\r\naGET / HTTP/1.1\nHost: x\r\n\r\n", "200 400"},
		"an empty line after a body":            {post + "Content-Length: 1\r\n\r\na\r\nGET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200 200"},
		"a bad request behind a refused switch": {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nGET / HTTP/1.1\nHost: x\r\n\r\n", "200"},
		"a request behind a refused switch":     {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", "200"},
		"a request behind one with content":     {post + "Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\naGET / HTTP/1.1\r\nHost: x\r\n\r\n", "200"},
		"a bad request behind an h2c offer":     {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET / HTTP/1.1\nHost: x\r\n\r\n", "200 400"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for line := range strings.Lines(wiretest.Raw(t, s.addr, test.request)) {
				if i := strings.Index(line, "HTTP/1.1 "); i >= 0 { // a response may follow a body without an end of line
					got = append(got, line[i+9:i+12])
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("statuses %v, want %s", got, test.want)
			}
		})
	}
}

// pieces is a connection on which one byte arrives at a time.
type pieces struct{ net.Conn }

func (p pieces) Read(b []byte) (int, error) { return iotest.OneByteReader(p.Conn).Read(b) }

type piecemeal struct{ net.Listener }

func (l piecemeal) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return pieces{conn}, err
}

func TestServeReadsRequestsThatComeInPieces(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go wire.Serve(t.Context(), []net.Listener{piecemeal{ln}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "<%s %s %s %v>", r.Method, r.URL, body, err)
	}), wire.Config{HeaderTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 1 << 16, ShutdownTimeout: time.Millisecond}, slog.New(slog.DiscardHandler))
	answer := wiretest.Raw(t, ln.Addr().String(), "\r\nPOST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\n"+
		"POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\nT: v\r\n\r\n"+
		"GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	for _, want := range []string{"<POST /1 abc <nil>>", "<POST /2 abc <nil>>", "<GET /3  <nil>>"} {
		if !strings.Contains(answer, want) {
			t.Errorf("no %s in %q", want, answer)
		}
	}
}
