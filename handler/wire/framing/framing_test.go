package framing_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"spangate/handler/wire/framing"
)

func ExampleRequests() {
	conn := framing.Requests(&fixedConn{rest: []byte("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")}, 0, 0)
	_, err := io.ReadAll(conn)
	fmt.Println(err)
	// Output: malformed message: both Content-Length and Transfer-Encoding
}

// TestResponses sends requests one after the other over one connection and
// looks at each response, also in pieces: what is taken for the end of one must
// not be the middle of it.
func TestResponses(t *testing.T) {
	type exchange struct{ method, response string }
	tests := map[string]struct {
		exchanges []exchange
		want      string // the error of the last one
	}{
		"a body like a malformed head":            {[]exchange{{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nX\n Y\r \n\n"}, {"GET", "HTTP/1.1 204 No Content\r\n\r\n"}}, ""},
		"lengths in answer to HEAD":               {[]exchange{{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"}, {"GET", "HTTP/1.1 200 OK\n\r\n"}}, "a line that ends in a bare LF"},
		"chunks in answer to HEAD":                {[]exchange{{"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}, {"GET", "HTTP/1.1 200 OK\n\r\n"}}, "a line that ends in a bare LF"},
		"a length in a 304":                       {[]exchange{{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"}, {"GET", "HTTP/1.1 200 OK\n\r\n"}}, "a line that ends in a bare LF"},
		"an interim response":                     {[]exchange{{"GET", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"}, {"GET", "HTTP/1.1 200 OK\n"}}, "a line that ends in a bare LF"},
		"interim responses that name much":        {[]exchange{{"GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\nConnection: x\r\n\r\n", 64) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, {"GET", "HTTP/1.1 200 OK\n"}}, "a line that ends in a bare LF"},
		"interim responses that name too much":    {[]exchange{{"GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\nConnection: x\r\n\r\n", 65) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}}, "interim responses with more than 64 lines of Connection"},
		"chunks and trailers":                     {[]exchange{{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n\n\n\r\n0\r\nT: v\r\n\r\n"}, {"GET", "HTTP/1.1 200 OK\n"}}, "a line that ends in a bare LF"},
		"until the connection ends":               {[]exchange{{"GET", "HTTP/1.0 200 OK\r\n\r\nany\nthing\r"}}, ""},
		"behind a switch":                         {[]exchange{{"GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nany\nthing\r"}}, ""},
		"a space after a chunk's size":            {[]exchange{{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n"}}, `chunk size "1 "`},
		"a body after the header of HEAD":         {[]exchange{{"HEAD / HTTP/1.1\r\nContent-Length: 4\r\n\r\n|HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}, {"POST", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"}}, ""},
		"a body that begins with HEAD":            {[]exchange{{"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n|HEAD ", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\n\n"}, {"GET", "HTTP/1.1 200 OK\n"}}, "a line that ends in a bare LF"},
		"an answer before the end of the request": {[]exchange{{"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n|H", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\n\n"}}, "answered before the request was sent"},
		"NUL in a chunk's extension":              {[]exchange{{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=\x00\r\na\r\n0\r\n\r\n"}}, `chunk extension "a=\x00" with a control character`},
		"chunks in HTTP/1.0":                      {[]exchange{{"GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}}, "Transfer-Encoding in HTTP/1.0"},
		"a version":                               {[]exchange{{"GET", "HTTP/1.2 200 OK\r\n\r\n"}}, `status line "HTTP/1.2 200 OK"`},
		"a status":                                {[]exchange{{"GET", "HTTP/1.1 2000 OK\r\n\r\n"}}, `status line "HTTP/1.1 2000 OK"`},
	}
	for name, test := range tests {
		for _, size := range []int{1, 7, 4096} {
			t.Run(fmt.Sprint(name, "/", size), func(t *testing.T) {
				wire := &fixedConn{end: os.ErrDeadlineExceeded}
				conn := framing.Responses(wire, 0, nil)
				for i, e := range test.exchanges {
					request := e.method
					if !strings.Contains(request, "|") {
						request += " / HTTP/1.1\r\n\r\n|"
					}
					for part := range strings.SplitSeq(request, "|") {
						if _, err := io.WriteString(conn, part); err != nil {
							t.Fatal(err)
						}
					}
					wire.rest = []byte(e.response)
					got, err := readAll(conn, size)
					if i < len(test.exchanges)-1 || test.want == "" {
						if err != nil || string(got) != e.response {
							t.Errorf("response %d: %q, %v", i, got, err)
						}
					} else if err == nil || !strings.Contains(err.Error(), test.want) {
						t.Errorf("response %d: error %v, want %s", i, err, test.want)
					}
				}
			})
		}
	}
}

func TestResponsesGiveUpAWriteThatMakesNoProgress(t *testing.T) {
	tests := map[string]struct {
		taken    []int // bytes taken until each timeout
		response string
		want     int
	}{
		"some bytes at a time":          {[]int{1, 2, 3}, "", 10},
		"none":                          {[]int{1, 0}, "", 1},
		"none once an answer has begun": {[]int{1, 0, 0, 1}, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 10},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wire := &fixedConn{}
			conn := framing.Responses(wire, time.Minute, nil)
			io.WriteString(conn, "PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\n")
			wire.rest = []byte(test.response)
			if _, err := readAll(conn, 4096); err != nil {
				t.Fatal(err)
			}
			wire.taken = test.taken
			n, err := io.WriteString(conn, "abcdefghij")
			if n != test.want || (err == nil) != (n == 10) || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("wrote %d, want %d; %v", n, test.want, err)
			}
		})
	}
}

// FuzzFraming checks that what is read of a connection does not depend on the
// pieces in which it comes, and that nothing is added.
func FuzzFraming(f *testing.F) {
	f.Add([]byte("\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n"), 7)
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nGET / HTTP/1.1\n\r\n"), 3)
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\n\n"), 1)
	f.Add([]byte("PRI * HTTP/2.0\r\nHost: x\r\n\r\nSM\r\n\r\n"), 5)
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2 \t ;a = b ;\r\nab\r\n0\t;\r\n\r\n"), 1)
	f.Add([]byte("GET / HTTP/1.0\r\nEXPECT: y, z\r\nExpect:\r\nExpected: y\r\n\r\n"), 3)
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\nHost: x\r\nHost: y\r\n\r\n"), 2)
	f.Fuzz(func(t *testing.T, sent []byte, size int) {
		size = min(max(size, 1), 4096)
		whole, wholeErr := readFramed(sent, len(sent)+1)
		parts, partsErr := readFramed(sent, size)
		// What precedes a fault in one piece may have been handed over already.
		if !bytes.HasPrefix(whole, parts) && !bytes.HasPrefix(parts, whole) || (wholeErr == nil) != (partsErr == nil) {
			t.Errorf("at once: %q, %v; in pieces of %d: %q, %v", whole, wholeErr, size, parts, partsErr)
		}
		if wholeErr == nil && !bytes.Equal(whole, parts) {
			t.Errorf("at once: %q; in pieces of %d: %q", whole, size, parts)
		}
		if len(whole) > len(sent) {
			t.Errorf("read %d bytes of %d", len(whole), len(sent))
		}
	})
}

func readFramed(sent []byte, size int) ([]byte, error) {
	return readAll(framing.Requests(&fixedConn{rest: sent}, 0, 0), size)
}

// readAll reads at most size bytes at a time.
func readAll(conn net.Conn, size int) ([]byte, error) {
	var got []byte
	buffer := make([]byte, size)
	for {
		n, err := conn.Read(buffer)
		got = append(got, buffer[:n]...)
		if err == io.EOF || err == os.ErrDeadlineExceeded {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
}

// fixedConn is a connection on which rest arrives, and then end, or its end. While taken is not empty a
// write takes so many bytes, and then times out.
type fixedConn struct {
	net.Conn
	rest  []byte
	end   error // io.EOF when nil
	taken []int
	fails error // of writes
}

func (c *fixedConn) Close() error { return nil }

func (c *fixedConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, cmp.Or(c.end, io.EOF)
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *fixedConn) Write(p []byte) (int, error) {
	if c.fails != nil {
		return 0, c.fails
	}
	if len(c.taken) == 0 {
		return len(p), nil
	}
	n := c.taken[0]
	c.taken = c.taken[1:]
	return n, os.ErrDeadlineExceeded
}

func (c *fixedConn) SetWriteDeadline(time.Time) error { return nil }
