package http1

import "net/http"

// What a server needs beside what the program has of this package yet.

// StatusOf returns the status that answers a request whose head could not be read
// for err; 0 where nobody would read the answer.
func StatusOf(err error) int {
	switch err := err.(type) {
	case Malformed:
		return http.StatusBadRequest
	case Unsupported:
		return err.Status
	}
	if err == ErrTooLarge {
		return http.StatusRequestHeaderFieldsTooLarge
	}
	return 0
}

// AppendChunk appends p as a chunk; none where it is empty, which would be the last
// one.
func AppendChunk(b, p []byte) []byte {
	if len(p) == 0 {
		return b
	}
	b = AppendChunkSize(b, len(p))
	b = append(b, p...)
	return append(b, "\r\n"...)
}
