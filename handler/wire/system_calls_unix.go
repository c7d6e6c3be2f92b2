//go:build unix && (race || !linux || !(amd64 || arm64))

package wire

import "syscall"

// readNow reads from a socket that does not block. The race detector sees it.
func readNow(fd uintptr, p []byte) (int, error) { return syscall.Read(int(fd), p) }

// writeNow is readNow for writing.
func writeNow(fd uintptr, p []byte) (int, error) { return syscall.Write(int(fd), p) }

// peekNow reads from a socket what stays there.
func peekNow(fd uintptr, p []byte) (int, error) {
	n, _, err := syscall.Recvfrom(int(fd), p, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return n, err
}
