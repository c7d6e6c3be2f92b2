//go:build unix

package acme

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"spangate/handler/clock"
)

// Locked holds a lock of the operating system on a file, which ends with the
// process. NFS knows such locks too, from version 4 on.
func (d *Dir) Locked(ctx context.Context, key string, f func(context.Context) error) error {
	path := d.file("locks/" + key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return storeError{err}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return storeError{err}
	}
	defer file.Close() // which ends the lock
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return f(ctx)
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return storeError{&os.PathError{Op: "lock", Path: path, Err: err}}
		}
		if err := clock.Sleep(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}
