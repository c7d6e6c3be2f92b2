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
	provider *Provider
	of       *draft // that they are in; nil: there are none
	n        int
	dropped  int
	seen     [4]uint64 // a bit for each key; different ones may have the same
}

// open makes room for attributes.
func (a *attributes) open(p *Provider) {
	if a.of == nil {
		a.provider, a.of = p, p.draft()
	}
}

// set adds attributes, or replaces those with their keys; it drops what is not valid, and
// what is too many.
func (a *attributes) set(attributes ...attribute.KeyValue) {
	for i := range attributes {
		switch kv := &attributes[i]; {
		case !kv.Valid():
			a.dropped++
		case a.admits(kv.Key):
			a.of.bytes = otlp.AppendAttribute(a.of.bytes, attributesField, kv, a.provider.spans)
		default:
			a.replace(kv)
		}
	}
}

// admits counts an attribute that may be written, as there is room for it, and none with
// its key.
func (a *attributes) admits(key attribute.Key) bool {
	word, bit := bitOf(key)
	if a.isFull() || a.seen[word]&bit != 0 {
		return false
	}
	a.n++
	a.seen[word] |= bit
	return true
}

func (a *attributes) isFull() bool {
	limit := a.provider.cfg.Limits.AttributeCountLimit
	return limit >= 0 && a.n >= limit
}

// replace puts an attribute in the place of the one with its key. If there is none, it
// is added or, where it would be too many, dropped.
func (a *attributes) replace(kv *attribute.KeyValue) {
	b, within := a.of.bytes, a.provider.spans
	if word, bit := bitOf(kv.Key); a.seen[word]&bit != 0 {
		if from, to, ok := find(b, kv.Key); ok {
			a.of.bytes = slices.Replace(b, from, to, otlp.AppendAttribute(nil, attributesField, kv, within)...)
			return
		}
	}
	if a.isFull() {
		a.dropped++
		return
	}
	a.n++
	a.of.bytes = otlp.AppendAttribute(b, attributesField, kv, within)
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
