package tracer

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"
)

// The messages are those of opentelemetry/proto/trace/v1 and common/v1. What is
// below writes a field as proto.Marshal does: by its number, and left out when it is
// empty, unless it says something then.

// tag returns that of a field with a number below 16.
func tag(field protowire.Number, kind protowire.Type) byte {
	return byte(protowire.EncodeTag(field, kind))
}

// open begins a message in a field; [shut] ends it.
func open(b []byte, field protowire.Number) (_ []byte, at int) {
	b = append(b, tag(field, protowire.BytesType), 0)
	return b, len(b)
}

// shut ends the message that begins at the place. Most have a length that takes a
// single byte, for which there is room before them.
func shut(b []byte, at int) []byte {
	n := len(b) - at
	if n < 0x80 {
		b[at-1] = byte(n)
		return b
	}
	more := protowire.SizeVarint(uint64(n)) - 1
	b = append(b, "\x00\x00\x00\x00\x00\x00\x00\x00\x00"[:more]...)
	copy(b[at+more:], b[at:at+n])
	protowire.AppendVarint(b[:at-1], uint64(n))
	return b
}

func appendText(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	b = append(b, tag(field, protowire.BytesType))
	return protowire.AppendString(b, validText(s))
}

// validText returns s as OTLP can carry it: as UTF-8. A batch with a text that is
// something else could not be sent at all, and whoever sends a byte in a header would
// lose everybody's spans.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func appendNumber(b []byte, field protowire.Number, n int) []byte {
	if n <= 0 {
		return b
	}
	b = append(b, tag(field, protowire.VarintType))
	return protowire.AppendVarint(b, uint64(min(n, math.MaxUint32)))
}

func appendTime(b []byte, field protowire.Number, nanoseconds int64) []byte {
	if nanoseconds <= 0 {
		return b
	}
	b = append(b, tag(field, protowire.Fixed64Type))
	return binary.LittleEndian.AppendUint64(b, uint64(nanoseconds))
}

// bounds are those of an attribute's value. A negative one is none.
type bounds struct {
	length int // of a text, in characters, and of bytes
	depth  int // of arrays, bytes and maps in one another
}

func appendAttributes(b []byte, field protowire.Number, attributes []attribute.KeyValue, within bounds) []byte {
	for i := range attributes {
		b = appendAttribute(b, field, &attributes[i], within)
	}
	return b
}

func appendAttribute(b []byte, field protowire.Number, kv *attribute.KeyValue, within bounds) []byte {
	b, at := open(b, field)
	b = appendText(b, 1, string(kv.Key))
	b = appendValue(b, 2, &kv.Value, within)
	return shut(b, at)
}

// appendValue appends an AnyValue.
func appendValue(b []byte, field protowire.Number, v *attribute.Value, within bounds) []byte {
	b, at := open(b, field)
	switch v.Type() {
	case attribute.EMPTY:
	case attribute.STRING:
		b = append(b, tag(1, protowire.BytesType))
		b = protowire.AppendString(b, validText(within.text(v.AsString())))
	case attribute.BOOL:
		b = append(b, tag(2, protowire.VarintType), byte(protowire.EncodeBool(v.AsBool())))
	case attribute.INT64:
		b = append(b, tag(3, protowire.VarintType))
		b = protowire.AppendVarint(b, uint64(v.AsInt64()))
	case attribute.FLOAT64:
		b = append(b, tag(4, protowire.Fixed64Type))
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.AsFloat64()))
	case attribute.BYTESLICE:
		if within.depth != 0 {
			b = append(b, tag(7, protowire.BytesType))
			b = protowire.AppendString(b, within.bytes(v.AsString()))
		}
	default:
		b = appendCollection(b, v, within)
	}
	return shut(b, at)
}

// appendCollection appends an ArrayValue or a KeyValueList, or nothing of one that is
// too deep in others.
func appendCollection(b []byte, v *attribute.Value, within bounds) []byte {
	if within.depth == 0 {
		return b
	}
	within.depth--
	if v.Type() == attribute.MAP {
		b, at := open(b, 6)
		entries := v.AsMap() // sorted by key
		for i := range entries {
			if i+1 < len(entries) && entries[i+1].Key == entries[i].Key {
				continue // of several with one key the last one counts
			}
			b = appendAttribute(b, 1, &entries[i], within)
		}
		return shut(b, at)
	}
	b, at := open(b, 5)
	switch v.Type() {
	case attribute.BOOLSLICE:
		b = appendEach(b, v.AsBoolSlice(), attribute.BoolValue, within)
	case attribute.INT64SLICE:
		b = appendEach(b, v.AsInt64Slice(), attribute.Int64Value, within)
	case attribute.FLOAT64SLICE:
		b = appendEach(b, v.AsFloat64Slice(), attribute.Float64Value, within)
	case attribute.STRINGSLICE:
		b = appendEach(b, v.AsStringSlice(), attribute.StringValue, within)
	case attribute.SLICE:
		b = appendEach(b, v.AsSlice(), func(v attribute.Value) attribute.Value { return v }, within)
	}
	return shut(b, at)
}

func appendEach[E any](b []byte, elements []E, value func(E) attribute.Value, within bounds) []byte {
	for _, e := range elements {
		v := value(e)
		b = appendValue(b, 1, &v, within)
	}
	return b
}

// text returns what may be kept of a text. One that has more bytes than it may have
// characters also loses those that are no UTF-8, which the SDK's does.
func (w bounds) text(s string) string {
	if w.length < 0 || len(s) <= w.length {
		return s
	}
	s = strings.ToValidUTF8(s, "")
	n := 0
	for i := range s {
		if n == w.length {
			return s[:i]
		}
		n++
	}
	return s
}

// bytes returns what may be kept of bytes.
func (w bounds) bytes(s string) string {
	if w.length < 0 {
		return s
	}
	return s[:min(len(s), w.length)]
}
