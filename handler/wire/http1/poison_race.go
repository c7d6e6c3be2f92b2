//go:build race

package http1

import "bytes"

var poison = bytes.Repeat([]byte("\x00\r"), bufferSize/2)

// spoil has memory that is given back hold nothing that passes for a message, so that
// tests fail where somebody still reads it.
func spoil(p []byte) { copy(p, poison) }
