package http1_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"spangate/handler/wire/http1"
)

const (
	// typicalRequest has 8 fields, and so has typicalResponse.
	typicalRequest = "GET /products/42?currency=EUR HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
		"Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n" +
		"Cookie: session=0123456789abcdef0123456789abcdef\r\nConnection: keep-alive\r\nX-Request-Id: 018f2c4a-7d1e-7c3b-9a55-3f6f0a1b2c3d\r\n\r\n"
	typicalResponse = "HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 09:00:00 GMT\r\nServer: nginx\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 0\r\n" +
		"Cache-Control: max-age=60\r\nETag: \"0123456789abcdef\"\r\nVary: Accept-Encoding\r\nSet-Cookie: session=0123456789abcdef0123456789abcdef; Path=/; HttpOnly\r\n\r\n"
)

// BenchmarkRequest reads the head of a request, here and by net/http.
func BenchmarkRequest(b *testing.B) {
	src := bytes.NewReader(nil)
	in, theirs := http1.NewReader(src), bufio.NewReader(src)
	benchmark(b, "http1", src, typicalRequest, func() error { _, _, err := in.ReadRequest(4 << 10); return err })
	benchmark(b, "net-http", src, typicalRequest, func() error { _, err := http.ReadRequest(theirs); return err })
}

// BenchmarkResponse reads the head of a response.
func BenchmarkResponse(b *testing.B) {
	src := bytes.NewReader(nil)
	in, theirs := http1.NewReader(src), bufio.NewReader(src)
	r := &http.Request{Method: "GET"}
	benchmark(b, "http1", src, typicalResponse, func() error { _, _, err := in.ReadResponse(new(http1.Response), "GET", 4<<10); return err })
	benchmark(b, "net-http", src, typicalResponse, func() error { _, err := http.ReadResponse(theirs, r); return err })
}

// BenchmarkDrip reads a head of one long line that comes byte by byte: what a byte
// costs must not depend on how many came before it.
func BenchmarkDrip(b *testing.B) {
	for _, length := range []int{4 << 10, 64 << 10} {
		src := bytes.NewReader(nil)
		in := http1.NewReader(iotest.OneByteReader(src))
		benchmark(b, strconv.Itoa(length), src, get+"X: "+strings.Repeat("y", length)+"\r\n\r\n", func() error {
			_, _, err := in.ReadRequest(128 << 10)
			return err
		})
	}
}

// BenchmarkChunks reads a response with content in chunks of 1,000 bytes.
func BenchmarkChunks(b *testing.B) {
	sent := ok + chunked + "\r\n" + strings.Repeat("3e8\r\n"+strings.Repeat("x", 1000)+"\r\n", 64) + "0\r\n\r\n"
	src := bytes.NewReader(nil)
	in, theirs := http1.NewReader(src), bufio.NewReader(src)
	p := make([]byte, 32<<10)
	benchmark(b, "http1", src, sent, func() error {
		_, f, err := in.ReadResponse(new(http1.Response), "GET", 4<<10)
		if err != nil {
			return err
		}
		body := in.ResponseBody(f)
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, &body, p)
		return err
	})
	benchmark(b, "net-http", src, sent, func() error {
		r, err := http.ReadResponse(theirs, nil)
		if err != nil {
			return err
		}
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, p)
		return err
	})
}

// BenchmarkFields writes the fields of a request, and those of it as a proxy sends it on.
func BenchmarkFields(b *testing.B) {
	r, _, err := http1.NewReader(strings.NewReader(typicalRequest)).ReadRequest(4 << 10)
	if err != nil {
		b.Fatal(err)
	}
	on := r.Header.Clone()
	for name, value := range map[string]string{
		"Forwarded": `for=192.0.2.1;host="shop.example.com";proto=https`, "Via": "1.1 spangate",
		"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "shop.example.com", "X-Forwarded-Proto": "https",
	} {
		on.Set(name, value)
	}
	for name, header := range map[string]http.Header{"": r.Header, "-forwarded": on} {
		p := make([]byte, 0, 4<<10)
		b.Run("http1"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := http1.AppendFields(p, header, func(name string) bool { return name == "Connection" }); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("net-http"+name, func(b *testing.B) {
			w, leave := bytes.NewBuffer(p), map[string]bool{"Connection": true}
			b.ReportAllocs()
			for b.Loop() {
				w.Reset()
				if err := header.WriteSubset(w, leave); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchmark(b *testing.B, name string, src *bytes.Reader, sent string, read func() error) {
	all := []byte(sent)
	b.Run(name, func(b *testing.B) {
		b.SetBytes(int64(len(all)))
		b.ReportAllocs()
		for b.Loop() {
			src.Reset(all)
			if err := read(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
