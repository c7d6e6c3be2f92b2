package conformance

import (
	"encoding/binary"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is a Protocol Buffers message, of which only some fields are looked
// at: the runner's types are internal to it, and what it sends to a reference
// program is to arrive there whole.
type message []byte

// readMessage reads one behind its length, as the runner and the programs
// under test write them.
func readMessage(r io.Reader) (message, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	m := make(message, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(r, m)
	return m, err
}

func writeMessage(w io.Writer, m message) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(m))), m...))
	return err
}

// number returns the value of a field that is one, 0 if it is not there.
func (m message) number(field protowire.Number) uint64 {
	v, _ := protowire.ConsumeVarint(m.value(field))
	return v
}

// bytes returns the value of a field that is a string, bytes or a message.
func (m message) bytes(field protowire.Number) message {
	v, _ := protowire.ConsumeBytes(m.value(field))
	return v
}

// with returns m with another value, a uint64 or bytes, in a field.
func (m message) with(field protowire.Number, value any) message {
	out, _ := m.split(field)
	switch value := value.(type) {
	case uint64:
		out = protowire.AppendTag(out, field, protowire.VarintType)
		return protowire.AppendVarint(out, value)
	case []byte:
		out = protowire.AppendTag(out, field, protowire.BytesType)
		return protowire.AppendBytes(out, value)
	}
	panic("a field is a number or bytes")
}

func (m message) value(field protowire.Number) message {
	_, value := m.split(field)
	return value
}

// split returns all other fields, and the last value of that one as it is encoded.
func (m message) split(field protowire.Number) (others, value message) {
	for len(m) > 0 {
		number, kind, tag := protowire.ConsumeTag(m)
		if tag < 0 {
			return others, value
		}
		length := protowire.ConsumeFieldValue(number, kind, m[tag:])
		if length < 0 {
			return others, value
		}
		if number == field {
			value = m[tag : tag+length]
		} else {
			others = append(others, m[:tag+length]...)
		}
		m = m[tag+length:]
	}
	return others, value
}
