package config

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write returns the path of a new file.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSecretFileFaults(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		path, value string
		want        string // PATH stands for the path
	}{
		"missing":         {path: filepath.Join(dir, "none"), want: `TOKEN_FILE="PATH": no such file or directory`},
		"a directory":     {path: dir, want: `TOKEN_FILE="PATH": is a directory`},
		"empty":           {path: write(t, "\n"), want: `TOKEN_FILE="PATH": is empty`},
		"too large":       {path: write(t, strings.Repeat("x", maxSecret+1)), want: `TOKEN_FILE="PATH": is larger than 64 KiB`},
		"set twice":       {path: write(t, "a:b"), value: "c:d", want: `TOKEN_FILE="PATH": TOKEN is set too`},
		"bad content":     {path: write(t, "s3cret"), want: "TOKEN: malformed; expected: name:key"},
		"two empty lines": {path: write(t, "\r\n \n"), want: `TOKEN_FILE="PATH": is empty`},
		"UTF-16":          {path: write(t, "\xff\xfea\x00:\x00b\x00"), want: `TOKEN_FILE="PATH": is UTF-16; save it as UTF-8`},
		"UTF-16, big end": {path: write(t, "\xfe\xff\x00a\x00:\x00b"), want: `TOKEN_FILE="PATH": is UTF-16; save it as UTF-8`},
		"byte order mark": {path: write(t, "\ufeff"), want: `TOKEN_FILE="PATH": is empty`},
		"quotes around":   {path: `"` + write(t, "a:b") + `"`, want: `TOKEN_FILE="PATH": leave out the quotes around it, which are a part of the value here`},
		"quotes within":   {path: write(t, `"a:b"`), want: "TOKEN: leave out the quotes around it, which are a part of the value here"},
		"nearly too big":  {path: write(t, "a:"+strings.Repeat("x", maxSecret-2))},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Load(&settings{}, []string{"TOKEN_FILE=" + test.path, "TOKEN=" + test.value})
			quoted := strconv.Quote(test.path)
			if diff := cmp.Diff(test.want, strings.ReplaceAll(strings.Join(lines(err), "\n"), quoted[1:len(quoted)-1], "PATH")); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
