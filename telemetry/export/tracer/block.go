package tracer

import (
	"slices"
	"sync/atomic"

	"spangate/telemetry/export/otlp"
)

const (
	usualSpan   = 1 << 10 // bytes
	largestKept = 1 << 14 // bytes of a draft, and of a span in a block
	blockSize   = 1 << 15 // bytes
	blockSpans  = 64
)

// draft is where what a span is told is written until it ends. Its memory is used again
// at once, so that it is still in the processor's cache.
type draft struct{ bytes []byte }

func (p *Provider) draft() *draft {
	if d, ok := p.drafts.Get().(*draft); ok {
		return d
	}
	return &draft{make([]byte, 0, usualSpan)}
}

func (p *Provider) discard(d *draft) {
	if cap(d.bytes) <= largestKept {
		d.bytes = d.bytes[:0]
		p.drafts.Put(d)
	}
}

// block is memory for spans that have ended, one behind the other: a span each would be
// of the size of the largest there was, and out of the cache before it is used again.
// One goroutine at a time fills it; it is used again when all its spans are released.
type block struct {
	spans   [blockSpans]Ended
	n       int
	bytes   []byte
	held    atomic.Int64 // spans that are not released, and one while it is filled
	release func()
}

func (p *Provider) newBlock() *block {
	b := &block{bytes: make([]byte, 0, blockSize)}
	b.release = func() {
		if b.held.Add(-1) == 0 {
			b.n, b.bytes = 0, b.bytes[:0]
			p.empty.Put(b)
		}
	}
	return b
}

// block returns one with room for a span of that size.
func (p *Provider) block(size int) *block {
	b, ok := p.filled.Get().(*block)
	if ok && b.n < blockSpans && len(b.bytes)+size <= blockSize {
		return b
	}
	if ok {
		b.release()
	}
	if b, ok = p.empty.Get().(*block); !ok {
		b = p.newBlock()
	}
	b.held.Store(1)
	return b
}

// export hands on a span of that scope, whose message is in two parts.
func (p *Provider) export(scope *otlp.Scope, message, rest []byte) {
	size := len(message) + len(rest)
	if size > largestKept {
		p.cfg.Export(&Ended{Value: Span{Scope: scope, Bytes: slices.Concat(message, rest)}})
		return
	}
	b := p.block(size)
	from := len(b.bytes)
	b.bytes = append(append(b.bytes, message...), rest...)
	e := &b.spans[b.n]
	e.Value, e.Release = Span{Scope: scope, Bytes: b.bytes[from:len(b.bytes):len(b.bytes)]}, b.release
	b.held.Add(1)
	if p.cfg.Export(e) {
		b.n++
	} else { // one that is full of what nobody took would be kept for the little that somebody did
		b.bytes = b.bytes[:from]
		b.held.Add(-1)
	}
	p.filled.Put(b)
}
