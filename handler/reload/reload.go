// Package reload answers: what do these files say now?
package reload

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"spangate/handler/clock"
)

// Files is what some files say, kept up to date. It is safe for concurrent use.
type Files[T any] struct {
	paths   []string
	load    func(before T) (T, error)
	seen    [sha256.Size]byte // of what the files held when they were last loaded
	current atomic.Pointer[T]
}

// New loads what the files say: load reads them itself, and is given what they said
// when it was last called, at first the zero value. Paths are all whose change
// matters; one that is not there counts as such. The error is load's, which later is
// about the files that are not heeded: what it returns is in force all the same.
func New[T any](paths []string, load func(before T) (T, error)) (*Files[T], error) {
	f := &Files[T]{paths: paths, load: load}
	f.seen = f.content() // before load: what changes in between is found to have changed
	var none T
	value, err := load(none)
	if err != nil {
		return nil, err
	}
	f.current.Store(&value)
	return f, nil
}

// Get returns what is in force of what the files say.
func (f *Files[T]) Get() T { return *f.current.Load() }

// Run reads the files every so often until ctx is done, and then returns nil. Where
// they have changed they are loaded, and reloaded gets the outcome. With an error they
// are loaded again each time, as a fault may pass although they stay as they are; one
// and the same is told once.
//
// It compares what the files hold. Neither a notification nor a time of change
// would do: Kubernetes swaps a link to their directory, and some file systems
// know of neither.
func (f *Files[T]) Run(ctx context.Context, every time.Duration, reloaded func(T, error)) error {
	fault := ""
	for clock.Sleep(ctx, every) == nil {
		now, told := f.content(), fault
		if now == f.seen && fault == "" {
			continue
		}
		value, err := f.load(f.Get())
		if fault = ""; err != nil {
			fault = err.Error()
		}
		if now == f.seen && fault == told {
			continue
		}
		f.seen = now
		f.current.Store(&value)
		if reloaded != nil {
			reloaded(value, err)
		}
	}
	return nil
}

// content returns what stands for all that the files hold.
func (f *Files[T]) content() (sum [sha256.Size]byte) {
	all := sha256.New()
	for _, path := range f.paths {
		content, err := Read(path)
		if err != nil {
			content = []byte(err.Error())
		}
		each := sha256.Sum256(content) // of a fixed length, so that nothing moves from one to the next
		all.Write(each[:])
	}
	all.Sum(sum[:0])
	return sum
}

// most is the size of a file that is read again and again. The authorities of whole
// systems have some 200 KiB.
const most = 4 << 20

// Read returns what the file at path holds, for which load should use it too. It
// refuses more than 4 MiB, and what is no file: who opens a pipe that nobody writes to
// waits, and cannot be told to end.
func Read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil, info.IsDir(): // of which reading says more
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is no regular file", path)
	case info.Size() > most:
		return nil, fmt.Errorf("%s: is larger than %d MiB", path, most>>20)
	}
	return os.ReadFile(path)
}
