package export

import (
	"errors"
	"io"
	"sync"
)

// lending bounds how long memory is read by others. The zero value lends.
type lending struct {
	mu   sync.Mutex // held to read
	over bool
}

// end returns when nobody reads any more, nor will.
func (l *lending) end() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
}

var errOver = errors.New("the export is over")

// loan is a reader of what is lent.
type loan struct {
	of   *lending
	from io.Reader
}

// Read implements [io.Reader].
func (l *loan) Read(p []byte) (int, error) {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.of.over {
		return 0, errOver
	}
	return l.from.Read(p)
}

// Close implements [io.Closer].
func (*loan) Close() error { return nil }
