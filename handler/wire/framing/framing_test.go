package framing_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
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
