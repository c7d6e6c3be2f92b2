package reload_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"spangate/handler/reload"
)

// outcome is what somebody is told who listens.
type outcome struct {
	says string
	err  error
}

var errEmpty = errors.New("empty")

// watched returns a file with text, and what it says from then on.
func watched(t *testing.T, path string, others ...string) (*reload.Files[string], chan outcome) {
	t.Helper()
	files, err := reload.New(append(others, path), func(before string) (string, error) {
		content, err := reload.Read(path)
		if err == nil && len(content) == 0 {
			err = errEmpty
		}
		if err != nil {
			return before, err
		}
		return string(content), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan outcome)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- files.Run(ctx, time.Millisecond, func(says string, err error) {
			select {
			case told <- outcome{says, err}:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return files, told
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFilesThatChange(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "one")
	files, told := watched(t, path)
	for _, text := range []string{"two", "six", "one"} { // of the same length
		write(t, path, text)
		got := <-told
		if got.err == errEmpty {
			got = <-told // it was read between being cut and being written
		}
		if got.says != text || got.err != nil {
			t.Errorf("told of %q, %v, want %q", got.says, got.err, text)
		}
		if got := files.Get(); got != text {
			t.Errorf("says %q, want %q", got, text)
		}
	}
}

func TestFilesThatAreWrong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "right")
	files, told := watched(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := <-told; !errors.Is(got.err, os.ErrNotExist) {
		t.Errorf("told of %v, want a file that is not there", got.err)
	}
	if got := files.Get(); got != "right" {
		t.Errorf("says %q, want what it said before", got)
	}
	write(t, path+".new", "again")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if got := <-told; got.says != "again" || got.err != nil {
		t.Errorf("told of %q, %v, want the file that is there again, and the fault once", got.says, got.err)
	}
}

// Kubernetes puts files into a directory of a version, and swaps the link to it.
func TestFilesBehindALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	version := func(name, text string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "tls.crt"), text)
		if err := os.Symlink(name, filepath.Join(dir, "..tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", "one")
	path := filepath.Join(dir, "tls.crt")
	if err := os.Symlink(filepath.Join("..data", "tls.crt"), path); err != nil {
		t.Fatal(err)
	}
	files, told := watched(t, path)
	version("..2", "two")
	if got := <-told; got.says != "two" || got.err != nil {
		t.Errorf("told of %q, %v", got.says, got.err)
	}
	if got := files.Get(); got != "two" {
		t.Errorf("says %q, want two", got)
	}
}

// A file beside the one that is read may come later.
func TestFilesThatAreNotThereYet(t *testing.T) {
	t.Parallel()
	path, beside := filepath.Join(t.TempDir(), "file"), filepath.Join(t.TempDir(), "beside")
	write(t, path, "text")
	_, told := watched(t, path, beside)
	write(t, beside, "more")
	if got := <-told; got.says != "text" || got.err != nil {
		t.Errorf("told of %q, %v", got.says, got.err)
	}
}

func TestFilesThatCannotBeUsedAtFirst(t *testing.T) {
	wrong := errors.New("wrong")
	if _, err := reload.New(nil, func(string) (string, error) { return "", wrong }); err != wrong {
		t.Errorf("error is %v, want %v", err, wrong)
	}
}

// A fault may pass although the files stay as they are: there was no descriptor for
// them, say.
func TestFaultsThatPass(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "one")
	calls := 0
	files, err := reload.New([]string{path}, func(before string) (string, error) {
		switch calls++; calls {
		case 1:
			return "one", nil
		case 2, 3, 4:
			return before, errEmpty
		}
		return "two", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "two")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var told []outcome
	files.Run(ctx, time.Millisecond, func(says string, err error) {
		if told = append(told, outcome{says, err}); len(told) == 2 {
			cancel()
		}
	})
	if want := []outcome{{"one", errEmpty}, {"two", nil}}; !slices.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
}
