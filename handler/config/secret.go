package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const maxSecret = 64 << 10

// byteOrderMark begins what some editors save as UTF-8.
const byteOrderMark = "\ufeff"

// readSecret returns what is in a file, without line ends behind it. It refuses an
// empty file: unlike an empty variable, it is hardly meant to say that what the
// secret protects is open.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", errors.Unwrap(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	text := strings.TrimRight(strings.TrimPrefix(string(b), byteOrderMark), "\r\n")
	switch {
	case err != nil:
		return "", errors.Unwrap(err)
	case len(b) > maxSecret:
		return "", fmt.Errorf("is larger than %d KiB", maxSecret>>10)
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"):
		return "", errors.New("is UTF-16; save it as UTF-8")
	case strings.TrimSpace(text) == "":
		return "", errors.New("is empty")
	}
	return text, nil
}
