//go:build unix

package config

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminalWidth returns how many characters a line of the terminal f has, or 0
// where f is none.
func terminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
