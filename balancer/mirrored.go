package balancer

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"spangate/handler"
	"spangate/handler/field"
)

// shadow is a copy of a request, which owns all that it has.
type shadow struct {
	ctx    context.Context
	method string
	url    url.URL
	host   string
	header http.Header
	body   []byte
	size   int64     // of memory that is reserved for it
	until  time.Time // when it is too late for it
}

// ownSize is what a copy takes beside what it has of the request, while it is sent too.
const ownSize = 8 << 10

// sizeOf returns how much memory a copy of r takes without a body.
func sizeOf(r *http.Request) int64 {
	n := ownSize + len(r.Method) + len(r.Host) + len(r.URL.Path) + len(r.URL.RawPath) + len(r.URL.RawQuery)
	for name, values := range r.Header {
		n += len(name) + 64
		for _, value := range values {
			n += len(value) + 16
		}
	}
	return int64(n)
}

// fill makes s a copy of r, but for the body. Its context is ctx, of the same client. It
// is part of no trace that r came with: whoever called has not called the mirror.
func (s *shadow) fill(ctx context.Context, r *http.Request) {
	s.ctx, s.method, s.url, s.host, s.header = handler.OnBehalf(ctx, r), r.Method, *r.URL, r.Host, r.Header.Clone()
	maps.DeleteFunc(s.header, func(name string, _ []string) bool { return field.IsTraceContext(name) || name == "Expect" })
	s.header[MirrorField] = []string{"true"}
}

// request returns what is to be sent.
func (s *shadow) request(ctx context.Context) *http.Request {
	r := &http.Request{
		Method: s.method, URL: &s.url, Host: s.host, Header: s.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(s.body)),
	}
	if len(s.body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(s.body))
	}
	return r.WithContext(ctx)
}

// mirroredBody is the body of a request, of which what is read is kept for the copy. That
// is sent when the end has been read, and given up when it is too much, or the request
// ends before.
type mirroredBody struct {
	io.ReadCloser
	mirror  *Mirror
	of      *shadow
	unwatch func() bool // stops waiting for the request's end

	mu    sync.Mutex
	left  int64 // bytes to come; negative when that is unknown
	ended bool  // the copy is sent, or given up
}

func (b *mirroredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.keep(p[:n], err)
	return n, err
}

// keep keeps what was read.
func (b *mirroredBody) keep(p []byte, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	s, m := b.of, b.mirror
	if int64(len(s.body)+len(p)) > m.bodyLimit {
		b.give(DropBodyTooLarge)
		return
	}
	if !m.grow(s, len(p), b.left) {
		b.give(DropMemory)
		return
	}
	s.body = append(s.body, p...)
	known := b.left > 0
	if known {
		b.left -= int64(len(p))
	}
	switch {
	case err == io.EOF, known && b.left == 0:
		b.ended = true
		b.unwatch()
		m.enqueue(s)
	case err != nil:
		b.give(DropBodyIncomplete)
	}
}

// grow makes room for n bytes more of the body of s, of which left are to come if it is
// known how many, and reports whether there is memory for them. That is taken before it is
// used: for a while there are the old place and the new one.
func (m *Mirror) grow(s *shadow, n int, left int64) bool {
	before := cap(s.body)
	if n <= before-len(s.body) {
		return true
	}
	most := m.bodyLimit
	if left > 0 {
		most = int64(len(s.body)) + left
	}
	size := max(int64(len(s.body)+n), min(int64(2*before), most))
	if !m.reserve(s, size) {
		return false
	}
	s.body = append(make([]byte, 0, size), s.body...)
	m.memory.Add(-int64(before))
	s.size -= int64(before)
	return true
}

// give gives the copy up. The caller holds mu.
func (b *mirroredBody) give(why DropReason) {
	b.ended = true
	b.unwatch()
	b.mirror.drop(b.of, why)
}

// drop gives the copy up because the request has ended.
func (b *mirroredBody) drop(why DropReason) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.ended = true
		b.mirror.drop(b.of, why)
	}
}
