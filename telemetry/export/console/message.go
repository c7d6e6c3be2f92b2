package console

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is one of OTLP, encoded. What is read here was written by this program: a
// message that is none has no fields from there on.
type message []byte

// field is one of a message.
type field struct {
	number protowire.Number
	bits   uint64 // of a number
	bytes  []byte // of anything else
}

// fields yields those of the message, in the order in which they were written.
func (m message) fields(yield func(field) bool) {
	for len(m) > 0 {
		number, kind, n := protowire.ConsumeTag(m)
		if n < 0 {
			return
		}
		m = m[n:]
		if n = protowire.ConsumeFieldValue(number, kind, m); n < 0 {
			return
		}
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.bits, _ = protowire.ConsumeVarint(m)
		case protowire.Fixed64Type:
			f.bits = binary.LittleEndian.Uint64(m)
		case protowire.Fixed32Type:
			f.bits = uint64(binary.LittleEndian.Uint32(m))
		case protowire.BytesType:
			f.bytes, _ = protowire.ConsumeBytes(m)
		}
		if !yield(f) {
			return
		}
		m = m[n:]
	}
}
