//go:build unix

package reload_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"spangate/handler/reload"
)

// What would be waited for, or has no end, is not read.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		made func(path string) error
		want string // of the error, behind the path
	}{
		"a pipe":   {func(path string) error { return syscall.Mkfifo(path, 0o600) }, ": is no regular file"},
		"a device": {func(path string) error { return os.Symlink("/dev/zero", path) }, ": is no regular file"},
		"too much": {func(path string) error { return os.WriteFile(path, make([]byte, 4<<20+1), 0o600) }, ": is larger than 4 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "file")
			if err := test.made(path); err != nil {
				t.Fatal(err)
			}
			if _, err := reload.Read(path); err == nil || err.Error() != path+test.want {
				t.Errorf("error is %v, want the path and %q", err, test.want)
			}
		})
	}
}

// A pipe in a file's place is a fault like others, and Run goes on and ends.
func TestRunWithAPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "first")
	files, told := watched(t, path)
	pipe := path + ".pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(pipe, path); err != nil {
		t.Fatal(err)
	}
	if got := <-told; got.err == nil || files.Get() != "first" {
		t.Errorf("told %+v while %q is in force", got, files.Get())
	}
}
