package framing_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"spangate/handler/wire/framing"
)

// TestAFaultOfTheNextRequestWaits checks that what is malformed behind a request
// that is about to be handled does not end it: net/http reads on, to notice that
// the client leaves, before it calls the handler.
func TestAFaultOfTheNextRequestWaits(t *testing.T) {
	const request, malformed = "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "G@ / HTTP/1.1\r\n\r\n"
	client, server := net.Pipe()
	conn := framing.Requests(server, 0, 0)
	go func() {
		io.WriteString(client, request+malformed)
		client.Close()
	}()
	p := make([]byte, 4096)
	if n, err := conn.Read(p); err != nil || !strings.HasPrefix(string(p[:n]), request) {
		t.Fatalf("read %q, %v", p[:n], err)
	}
	if n, err := conn.Read(p); n != 0 || err != io.EOF {
		t.Errorf("before the handler is called: read %q, %v, want that the client has left", p[:n], err)
	}
	conn.Handling()()
	if _, err := conn.Read(p); err == nil || err == io.EOF {
		t.Errorf("after it has returned: %v, want what is malformed", err)
	}
}
