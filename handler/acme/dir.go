package acme

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Dir is a [Store] in a directory, which processes may share. What is in its files
// is for their owner only.
type Dir struct{ path string }

// maxState bounds how much is read of a file that somebody else may have put there.
const maxState = 1 << 20

// OpenDir returns the store in the directory of that path, which it makes if it is
// not there, with what it needs. It fails when files cannot be written there.
func OpenDir(path string) (*Dir, error) {
	d := &Dir{path}
	ctx := context.Background()
	probe := "writable-" + fmt.Sprint(os.Getpid())
	err := d.Put(ctx, probe, nil)
	if err == nil {
		err = d.Delete(ctx, probe)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Get reads a file.
func (d *Dir) Get(_ context.Context, key string) ([]byte, error) {
	f, err := os.Open(d.file(key))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err == nil && len(b) > maxState {
		err = fmt.Errorf("%s is larger than %d KiB", f.Name(), maxState>>10)
	}
	return b, err
}

// Put writes a file under another name, and gives it its own once it is on the
// disk.
func (d *Dir) Put(_ context.Context, key string, value []byte) (err error) {
	path := d.file(key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), temporary+"*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(value)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	if folder, err := os.Open(filepath.Dir(path)); err == nil {
		folder.Sync() // so that the name outlives a power cut; not all file systems can
		folder.Close()
	}
	return nil
}

// temporary begins the names of files that are being written.
const temporary = ".new-"

// Delete removes a file.
func (d *Dir) Delete(_ context.Context, key string) error {
	if err := os.Remove(d.file(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *Dir) file(key string) string {
	return filepath.Join(append([]string{d.path}, strings.Split(key, "/")...)...)
}
