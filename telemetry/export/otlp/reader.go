package otlp

import (
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// Reader reads a request from the items that it consists of, so that they are not copied
// together before they are sent. It is an [io.Reader] for one goroutine.
type Reader struct {
	resource Resource
	items    []Item
	groups   []group // those that are not read
	size     int     // of the resource's message

	at     place
	item   int // the next one that may be of the group
	length [12]byte
	pieces [2][]byte // to be read before what comes at the place
}

// place is one in a request.
type place int

const (
	atResource place = iota
	atScope          // or behind the last one
	atItem           // or behind the last one of a scope
	atEnd
)

// Read returns a reader of what [Resource.Request] returns. The items must stay as they
// are while it is read.
func (r Resource) Read(items []Item) *Reader {
	read := &Reader{resource: r, items: items, groups: groupsOf(items), size: len(r.before) + len(r.after)}
	for _, g := range read.groups {
		read.size += sizeInField(g.size)
	}
	return read
}

// Len returns how many bytes the whole request has.
func (r *Reader) Len() int { return sizeInField(r.size) }

// Read implements [io.Reader]. It fills p as far as there is something to read.
func (r *Reader) Read(p []byte) (n int, err error) {
	for {
		for i := range r.pieces {
			copied := copy(p[n:], r.pieces[i])
			r.pieces[i] = r.pieces[i][copied:]
			n += copied
		}
		switch {
		case n == len(p):
			return n, nil
		case r.at == atEnd && n > 0:
			return n, nil
		case r.at == atEnd:
			return 0, io.EOF
		}
		r.next()
	}
}

// next goes on to the pieces at the place, once those before it have been read.
func (r *Reader) next() {
	switch r.at {
	case atResource:
		r.pieces = [2][]byte{r.sized(1, r.size), r.resource.before}
		r.at = atScope
	case atScope:
		if len(r.groups) == 0 {
			r.pieces[0], r.at = r.resource.after, atEnd
			return
		}
		r.pieces = [2][]byte{r.sized(2, r.groups[0].size), r.groups[0].scope.before}
		r.item, r.at = 0, atItem
	case atItem:
		scope := r.groups[0].scope
		for ; r.item < len(r.items); r.item++ {
			if item := &r.items[r.item]; item.Scope == scope {
				r.pieces = [2][]byte{r.sized(2, len(item.Bytes)), item.Bytes}
				r.item++
				return
			}
		}
		r.pieces[0], r.groups, r.at = scope.after, r.groups[1:], atScope
	}
}

// sized returns the beginning of a field with a message of so many bytes.
func (r *Reader) sized(field protowire.Number, message int) []byte {
	return appendLength(r.length[:0], field, message)
}
