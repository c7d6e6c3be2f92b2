package balancer

import (
	"errors"
	"io"
	"sync"
)

// replay is a request's body that can be read several times, while what has
// been read of it fits the limit. Each attempt reads its own view. A view that
// was given up may still be reading when the next one begins: what it gets is
// kept, so that nothing is lost between them.
type replay struct {
	source io.ReadCloser
	limit  int64

	mu       sync.Mutex
	read     []byte
	err      error // that the source ended with
	total    int64 // bytes read
	overflow bool  // more than are kept
}

// waiting reports whether a view waits for the client.
func (b *replay) waiting() bool {
	if b.mu.TryLock() {
		b.mu.Unlock()
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
	at   int64

	mu     sync.Mutex
	closed bool
}

var (
	errViewClosed = errors.New("the attempt that this body is for has ended")
	errNotKept    = errors.New("the body's beginning is no longer kept")
)

func (v *bodyView) Read(p []byte) (int, error) {
	b := v.body
	b.mu.Lock()
	defer b.mu.Unlock()
	if v.isClosed() {
		return 0, errViewClosed
	}
	if v.at < int64(len(b.read)) {
		n := copy(p, b.read[v.at:])
		v.at += int64(n)
		return n, nil
	}
	if v.at < b.total {
		return 0, errNotKept // a view given up was still reading
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.source.Read(p)
	if err != nil {
		b.err = err
	}
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
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	return nil
}

func (v *bodyView) isClosed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.closed
}
