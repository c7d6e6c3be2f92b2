package balancer

import (
	"fmt"
	"io"
	"sync"

	"spangate/handler/fault"
)

// replay is a request's body that can be read several times, while what has
// been read of it fits the limit. Each attempt reads its own view. A view that
// was given up may still be reading when the next one begins: what it gets is
// kept, so that nothing is lost between them.
type replay struct {
	source io.ReadCloser
	limit  int64

	reading sync.Mutex // held while the source is read: for as long as the client takes

	mu       sync.Mutex // guards what follows
	read     []byte
	err      error // that the source ended with
	total    int64 // bytes read
	overflow bool  // more than are kept
}

// waiting reports whether a view waits for the client.
func (b *replay) waiting() bool {
	if b.reading.TryLock() {
		b.reading.Unlock()
		return false
	}
	return true
}

// replayable reports whether another view can be read from the beginning.
func (b *replay) replayable() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.overflow && (b.err == nil || b.err == io.EOF)
}

// view returns the body from its beginning. It must be replayable.
func (b *replay) view() io.ReadCloser { return &bodyView{body: b} }

type bodyView struct {
	body *replay

	// Both are guarded by the body's mu.
	at     int64
	closed bool
}

var (
	errViewClosed = fault.ErrGivenUp
	errNotKept    = fmt.Errorf("the body's beginning is no longer kept: %w", fault.ErrGivenUp)
)

func (v *bodyView) Read(p []byte) (int, error) {
	if n, err, known := v.kept(p); known {
		return n, err
	}
	v.body.reading.Lock()
	defer v.body.reading.Unlock()
	if n, err, known := v.kept(p); known { // by now
		return n, err
	}
	return v.readOn(p)
}

// kept reads what there is without the source: bytes, or why there are none. It
// reports false when it takes the source to know.
func (v *bodyView) kept(p []byte) (n int, err error, known bool) {
	b := v.body
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case v.closed:
		return 0, errViewClosed, true
	case v.at < int64(len(b.read)):
		n := copy(p, b.read[v.at:])
		v.at += int64(n)
		return n, nil, true
	case v.at < b.total:
		return 0, errNotKept, true // a view given up was still reading
	}
	return 0, b.err, b.err != nil
}

// readOn reads the source. The caller holds reading.
func (v *bodyView) readOn(p []byte) (int, error) {
	b := v.body
	n, err := b.source.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	b.total += int64(n)
	if !b.overflow {
		if b.total > b.limit {
			b.overflow, b.read = true, nil
		} else {
			b.read = append(b.read, p[:n]...)
		}
	}
	v.at = b.total
	return n, err
}

// Close gives the view up. It does not wait for a Read that waits for the
// client.
func (v *bodyView) Close() error {
	v.body.mu.Lock()
	defer v.body.mu.Unlock()
	v.closed = true
	return nil
}
