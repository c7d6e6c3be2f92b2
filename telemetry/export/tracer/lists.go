package tracer

import (
	"bytes"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"

	"spangate/telemetry/export/otlp"
)

// attributes are those of a span, written.
type attributes struct {
	of      *Ended // whose bytes they are; nil: there are none
	n       int
	dropped int
	seen    [4]uint64 // a bit for each key; different ones may have the same
}

// set adds attributes, or replaces those with their keys; it drops what is not valid, and
// what is too many.
func (a *attributes) set(attributes []attribute.KeyValue, limit int, within otlp.Bounds) {
	b := a.of.Value.Bytes
	for i := range attributes {
		kv := &attributes[i]
		if !kv.Valid() || limit == 0 {
			a.dropped++
			continue
		}
		word, bit := bitOf(kv.Key)
		if a.seen[word]&bit != 0 {
			if from, to, ok := find(b, kv.Key); ok {
				b = slices.Replace(b, from, to, otlp.AppendAttribute(nil, attributesField, kv, within)...)
				continue
			}
		}
		if limit > 0 && a.n >= limit {
			a.dropped++
			continue
		}
		a.n++
		a.seen[word] |= bit
		b = otlp.AppendAttribute(b, attributesField, kv, within)
	}
	a.of.Value.Bytes = b
}

// bitOf returns the bit of a key that is not empty. Names that begin alike differ in
// their length, in their end, or on the way.
func bitOf(key attribute.Key) (word int, bit uint64) {
	n := len(key)
	mixed := (uint32(n)<<24 | uint32(key[n-1])<<16 | uint32(key[n/2])<<8 | uint32(key[n/3])) * 0x9E3779B1 // Knuth's
	return int(mixed >> 30), 1 << (mixed >> 24 & 63)
}

// find returns where the attribute with a key is.
func find(b []byte, key attribute.Key) (from, to int, ok bool) {
	var space [64]byte
	first := otlp.AppendText(space[:0], 1, string(key)) // with its length, so that it is that of no other
	for from < len(b) {
		message, n := protowire.ConsumeBytes(b[from+1:])
		to = from + 1 + n
		if bytes.HasPrefix(message, first) {
			return from, to, true
		}
		from = to
	}
	return 0, 0, false
}

const usualPart = 64 // bytes of an event, or of a link, which most spans have none of

// list is what a span has of events or links, written.
type list struct {
	bytes   []byte
	n       int
	dropped int
}

// add appends what write does. Of more than the limit the oldest goes. Where there may
// be none, none is counted as dropped: the SDK tells of no drops then.
func (l *list) add(limit int, write func([]byte) []byte) {
	if limit == 0 {
		return
	}
	if limit > 0 && l.n == limit {
		_, n := protowire.ConsumeBytes(l.bytes[1:])
		l.bytes = slices.Delete(l.bytes, 0, 1+n)
		l.n--
		l.dropped++
	}
	if l.bytes == nil {
		l.bytes = make([]byte, 0, usualPart)
	}
	l.bytes = write(l.bytes)
	l.n++
}

// cut returns the attributes that an event or a link keeps, and how many it does not.
func cut(attributes []attribute.KeyValue, limit int) (kept []attribute.KeyValue, dropped int) {
	if limit < 0 || len(attributes) <= limit {
		return attributes, 0
	}
	return attributes[:limit], len(attributes) - limit
}

// insert puts bytes before others.
func insert(b, before []byte) []byte {
	n := len(b)
	b = append(b, before...) // makes room
	copy(b[len(before):], b[:n])
	copy(b, before)
	return b
}
