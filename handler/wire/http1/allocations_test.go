//go:build !race

package http1_test

import (
	"bytes"
	"testing"

	"spangate/handler/wire/http1"
)

// TestAllocations holds what is allocated for a head beside the message, whose memory is
// used again: one block, for its strings.
func TestAllocations(t *testing.T) {
	src := bytes.NewReader(nil)
	in, request, response := http1.NewReader(src), new(http1.Request), new(http1.Response)
	for _, test := range []struct {
		name, sent string
		most       float64
		read       func() error
	}{
		{"request", typicalRequest, 1, func() error {
			defer request.Reset()
			head, _, err := in.ReadRequestHead(4 << 10)
			if err == nil {
				_, _, err = request.Parse(head)
			}
			return err
		}},
		{"response", typicalResponse, 1, func() error {
			defer response.Reset()
			_, _, err := in.ReadResponse(response, "GET", 4<<10)
			return err
		}},
	} {
		sent := []byte(test.sent)
		got := testing.AllocsPerRun(1000, func() {
			src.Reset(sent)
			if err := test.read(); err != nil {
				t.Fatal(err)
			}
		})
		if got > test.most {
			t.Errorf("%s: %v allocations, want at most %v", test.name, got, test.most)
		}
	}

	content := []byte("5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n")
	p := make([]byte, 100)
	if got := testing.AllocsPerRun(1000, func() {
		src.Reset(content)
		body := in.ResponseBody(http1.Framing{Chunked: true})
		for err := error(nil); err == nil; _, err = body.Read(p) {
		}
		if !body.Ended() {
			t.Fatal("content does not end")
		}
	}); got != 0 {
		t.Errorf("chunks: %v allocations, want none", got)
	}

	r, _, err := http1.NewReader(bytes.NewReader([]byte(typicalRequest))).ReadRequest(4 << 10)
	if err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(1000, func() {
		if p, err = http1.AppendFields(p[:0], r.Header, func(name string) bool { return name == "Connection" }); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("fields: %v allocations, want none", got)
	}
}
