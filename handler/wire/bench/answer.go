package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// answer is what comes back over one connection of HTTP/1.1 or, once it is
// upgraded, of WebSocket. It costs next to nothing to read, as the body is known
// beforehand; and whatever differs is an error.
type answer struct {
	body []byte // that has to come
	bare bool   // without a head

	head   []byte // as far as it has come, if not all at once
	inBody bool
	got    int // of body
}

// mostHead bounds a head that does not end.
const mostHead = 16 << 10

var blankLine = []byte("\r\n\r\n")

// take reads the next piece and reports whether it was the last one.
func (a *answer) take(piece []byte) (done bool, err error) {
	if !a.inBody && !a.bare {
		if len(a.head) > 0 {
			a.head = append(a.head, piece...)
			piece = a.head
		}
		end := bytes.Index(piece, blankLine)
		switch {
		case end < 0 && len(piece) > mostHead:
			return false, errors.New("answered with a head that does not end")
		case end < 0:
			if len(a.head) == 0 {
				a.head = append(a.head, piece...)
			}
			return false, nil
		}
		if err := checkHead(piece[:end], len(a.body)); err != nil {
			return false, err
		}
		piece = piece[end+len(blankLine):]
		a.head, a.inBody = a.head[:0], true
	}
	if rest := a.body[a.got:]; !bytes.HasPrefix(rest, piece) {
		return false, fmt.Errorf("answered with other bytes after %d of %d", a.got, len(a.body))
	}
	a.got += len(piece)
	if a.got < len(a.body) {
		return false, nil
	}
	a.got, a.inBody = 0, false
	return true, nil
}

// checkHead returns what is wrong with the head of an answer of so many bytes.
func checkHead(head []byte, length int) error {
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answered %.200q", head)
	}
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if len(name) != len("Content-Length") || !bytes.EqualFold(name, []byte("Content-Length")) {
			continue
		}
		if n, err := strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || n != length {
			return fmt.Errorf("answered with Content-Length %q, want %d", bytes.TrimSpace(value), length)
		}
		return nil
	}
	return fmt.Errorf("answered without Content-Length: %.200q", head)
}
