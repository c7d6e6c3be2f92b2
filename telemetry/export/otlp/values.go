package otlp

import (
	"encoding/binary"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"
)

// What is below writes a field as proto.Marshal does: by its number, and left out when
// it is empty, unless it says something then.

// Tag returns that of a field with a number below 16.
func Tag(field protowire.Number, kind protowire.Type) byte {
	return byte(protowire.EncodeTag(field, kind))
}

// Open begins a message in a field with a number below 16; [Shut] ends it.
func Open(b []byte, field protowire.Number) (_ []byte, at int) {
	b = append(b, Tag(field, protowire.BytesType), 0)
	return b, len(b)
}

// Shut ends the message that begins at the place. Most have a length that takes a
// single byte, for which there is room before them.
func Shut(b []byte, at int) []byte {
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

// AppendText appends a text, as UTF-8.
func AppendText(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	b = append(b, Tag(field, protowire.BytesType))
	return protowire.AppendString(b, ValidText(s))
}

// ValidText returns s as OTLP can carry it: as UTF-8. A batch with a text that is
// something else could not be sent at all, and whoever sends a byte in a header would
// lose everybody's spans.
func ValidText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// AppendNumber appends a count, or the number of an enumeration: one that is not above
// zero is not there, one that is too large is the largest.
func AppendNumber(b []byte, field protowire.Number, n int) []byte {
	if n <= 0 {
		return b
	}
	b = append(b, Tag(field, protowire.VarintType))
	return protowire.AppendVarint(b, uint64(min(n, math.MaxUint32)))
}

// AppendTime appends an instant, unless it is none: the zero time, or one before 1970.
func AppendTime(b []byte, field protowire.Number, t time.Time) []byte {
	nanoseconds := t.UnixNano()
	if nanoseconds <= 0 {
		return b
	}
	return appendFixed(b, field, uint64(nanoseconds))
}

func appendFixed(b []byte, field protowire.Number, n uint64) []byte {
	b = append(b, Tag(field, protowire.Fixed64Type))
	return binary.LittleEndian.AppendUint64(b, n)
}

func appendDouble(b []byte, field protowire.Number, f float64) []byte {
	return appendFixed(b, field, math.Float64bits(f))
}

// Bounds are those of an attribute's value. A negative one is none.
type Bounds struct {
	Length int // of a text, in characters, and of bytes
	Depth  int // of arrays, bytes and maps in one another
}

// boundless bounds nothing.
var boundless = Bounds{-1, -1}

// AppendAttributes appends attributes, as a field each.
func AppendAttributes(b []byte, field protowire.Number, attributes []attribute.KeyValue, within Bounds) []byte {
	for i := range attributes {
		b = AppendAttribute(b, field, &attributes[i], within)
	}
	return b
}

// AppendAttribute appends a KeyValue.
func AppendAttribute(b []byte, field protowire.Number, kv *attribute.KeyValue, within Bounds) []byte {
	if key := string(kv.Key); isShort(key) {
		switch kv.Value.Type() {
		case attribute.STRING:
			return AppendString(b, field, key, kv.Value.AsString(), within)
		case attribute.INT64:
			return AppendInt(b, field, key, kv.Value.AsInt64())
		case attribute.FLOAT64:
			return AppendFloat(b, field, key, kv.Value.AsFloat64())
		case attribute.BOOL:
			return AppendBool(b, field, key, kv.Value.AsBool())
		}
	}
	return appendAttribute(b, field, string(kv.Key), &kv.Value, within)
}

func appendAttribute(b []byte, field protowire.Number, key string, v *attribute.Value, within Bounds) []byte {
	b, at := Open(b, field)
	b = AppendText(b, 1, key)
	b = appendValue(b, 2, v, within)
	return Shut(b, at)
}

// What is below appends a KeyValue of one kind. The key is UTF-8, not empty, and of no more
// than [LongestKey]: then most lengths are known before anything is written.

// AppendString appends a text.
func AppendString(b []byte, field protowire.Number, key, text string, within Bounds) []byte {
	if !isShort(text) || within.Length >= 0 && len(text) > within.Length {
		v := attribute.StringValue(text)
		return appendAttribute(b, field, key, &v, within)
	}
	b = appendKey(b, field, key, len(text)+2)
	b = append(b, Tag(1, protowire.BytesType), byte(len(text)))
	return append(b, text...)
}

// AppendInt appends a whole number.
func AppendInt(b []byte, field protowire.Number, key string, n int64) []byte {
	b = appendKey(b, field, key, protowire.SizeVarint(uint64(n))+1)
	b = append(b, Tag(3, protowire.VarintType))
	return protowire.AppendVarint(b, uint64(n))
}

// AppendFloat appends a number.
func AppendFloat(b []byte, field protowire.Number, key string, f float64) []byte {
	return appendDouble(appendKey(b, field, key, 9), 4, f)
}

// AppendBool appends a truth.
func AppendBool(b []byte, field protowire.Number, key string, v bool) []byte {
	return append(appendKey(b, field, key, 2), Tag(2, protowire.VarintType), byte(protowire.EncodeBool(v)))
}

// appendKey appends a KeyValue up to its AnyValue, which takes that many bytes.
func appendKey(b []byte, field protowire.Number, key string, value int) []byte {
	b = append(b, Tag(field, protowire.BytesType), byte(len(key)+value+4), Tag(1, protowire.BytesType), byte(len(key)))
	return append(append(b, key...), Tag(2, protowire.BytesType), byte(value))
}

// LongestKey is that of the keys, and of the texts, of which a message of two has a length
// of a single byte.
const LongestKey = 60

// isShort reports whether s can be sent as it is, and is that short. A field that is empty
// is not written.
func isShort(s string) bool { return s != "" && len(s) <= LongestKey && utf8.ValidString(s) }

// appendValue appends an AnyValue.
func appendValue(b []byte, field protowire.Number, v *attribute.Value, within Bounds) []byte {
	b, at := Open(b, field)
	switch v.Type() {
	case attribute.EMPTY:
	case attribute.STRING:
		b = append(b, Tag(1, protowire.BytesType))
		b = protowire.AppendString(b, ValidText(within.text(v.AsString())))
	case attribute.BOOL:
		b = append(b, Tag(2, protowire.VarintType), byte(protowire.EncodeBool(v.AsBool())))
	case attribute.INT64:
		b = append(b, Tag(3, protowire.VarintType))
		b = protowire.AppendVarint(b, uint64(v.AsInt64()))
	case attribute.FLOAT64:
		b = appendDouble(b, 4, v.AsFloat64())
	case attribute.BYTESLICE:
		if within.Depth != 0 {
			b = append(b, Tag(7, protowire.BytesType))
			b = protowire.AppendString(b, within.bytes(v.AsString()))
		}
	default:
		b = appendCollection(b, v, within)
	}
	return Shut(b, at)
}

// appendCollection appends an ArrayValue or a KeyValueList, or nothing of one that is
// too deep in others.
func appendCollection(b []byte, v *attribute.Value, within Bounds) []byte {
	if within.Depth == 0 {
		return b
	}
	within.Depth--
	if v.Type() == attribute.MAP {
		b, at := Open(b, 6)
		entries := v.AsMap() // sorted by key
		for i := range entries {
			if i+1 < len(entries) && entries[i+1].Key == entries[i].Key {
				continue // of several with one key the last one counts
			}
			b = AppendAttribute(b, 1, &entries[i], within)
		}
		return Shut(b, at)
	}
	b, at := Open(b, 5)
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
	return Shut(b, at)
}

func appendEach[E any](b []byte, elements []E, value func(E) attribute.Value, within Bounds) []byte {
	for _, e := range elements {
		v := value(e)
		b = appendValue(b, 1, &v, within)
	}
	return b
}

// text returns what may be kept of a text. One that has more bytes than it may have
// characters also loses those that are no UTF-8, which the SDK's does.
func (w Bounds) text(s string) string {
	if w.Length < 0 || len(s) <= w.Length {
		return s
	}
	s = strings.ToValidUTF8(s, "")
	n := 0
	for i := range s {
		if n == w.Length {
			return s[:i]
		}
		n++
	}
	return s
}

// bytes returns what may be kept of bytes.
func (w Bounds) bytes(s string) string {
	if w.Length < 0 {
		return s
	}
	return s[:min(len(s), w.Length)]
}
