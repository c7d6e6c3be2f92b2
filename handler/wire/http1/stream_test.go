package http1_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/http1"
)

// TestStream reads requests one behind the other, of all sizes, that arrive in pieces
// of any: what has come must be kept, in memory that grows, moves and is given back.
func TestStream(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			want := make([]message, 50)
			var sent []byte
			for i := range want {
				want[i] = randomRequest(random, i)
				var err error
				if sent, err = want[i].appendChunked(sent, random); err != nil {
					t.Fatal(err)
				}
			}
			in := http1.NewReader(&randomPieces{bytes.NewReader(sent), random})
			for i, want := range want {
				r, f, err := in.ReadRequest(64 << 10)
				if err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				got := message{method: r.Method, target: r.RequestURI, host: r.Host, header: r.Header, length: r.ContentLength}
				delete(got.header, "Content-Length")
				body := in.RequestBody(f)
				content, err := io.ReadAll(pieces{&body, 1 + random.IntN(20000)})
				if err != nil {
					t.Fatalf("content of request %d: %v", i, err)
				}
				if got.content, got.trailer = string(content), body.Trailer(); !cmp.Equal(want, got, compare) {
					t.Fatalf("request %d (-sent +read):\n%s", i, cmp.Diff(want, got, compare))
				}
			}
			if _, _, err := in.ReadRequest(64 << 10); err != io.EOF || in.Buffered() > 0 {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

func randomRequest(random *rand.Rand, i int) message {
	text := func(most int) string {
		return strings.Repeat(string(rune('a'+i%26)), random.IntN(most)) + fmt.Sprint(i)
	}
	m := message{method: "POST", target: "/" + text(3000), host: "h" + text(100), header: http.Header{}}
	for n := range random.IntN(20) {
		m.header.Add(fmt.Sprint("X", n), text(2000))
	}
	m.content = text(1 + []int{1, 10, 1000, 50000}[random.IntN(4)])
	if m.length = int64(len(m.content)); random.IntN(2) == 0 {
		m.length = -1
		if random.IntN(2) == 0 {
			m.trailer = http.Header{"X-Sum": {text(100)}}
		}
	}
	return m
}

// appendChunked appends m, its chunks as large as may be.
func (m *message) appendChunked(b []byte, random *rand.Rand) ([]byte, error) {
	b = m.appendRequestLine(b)
	if m.length >= 0 {
		return m.appendRest(b, false)
	}
	b, err := http1.AppendFields(append(b, chunked...), m.header, nil)
	if err != nil {
		return nil, err
	}
	for most, left := 1+random.IntN(10000), []byte(m.content); len(left) > 0; {
		n := min(1+random.IntN(most), len(left))
		b = appendChunk(b, left[:n])
		left = left[n:]
	}
	return http1.AppendLastChunk(b, m.trailer)
}

// randomPieces reads some bytes at once.
type randomPieces struct {
	io.Reader
	random *rand.Rand
}

func (r *randomPieces) Read(p []byte) (int, error) {
	return r.Reader.Read(p[:min(len(p), 1+r.random.IntN(10000))])
}
