package console

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"spangate/handler"
)

// TracesJSON returns an ExportTraceServiceRequest as a line of OTLP's JSON: names in
// camel case, identifiers in hexadecimal digits, enumerations as numbers, and numbers
// of 64 bits as texts (OTLP specification, JSON Protobuf Encoding).
func TracesJSON(request []byte) []byte { return jsonLine(tracesRequest, request) }

// MetricsJSON is [TracesJSON] for an ExportMetricsServiceRequest.
func MetricsJSON(request []byte) []byte { return jsonLine(metricsRequest, request) }

// LogsJSON is [TracesJSON] for an ExportLogsServiceRequest.
func LogsJSON(request []byte) []byte { return jsonLine(logsRequest, request) }

func jsonLine(s schema, request []byte) []byte {
	return append(s.append(make([]byte, 0, 3*len(request)), request), '\n')
}

// schema is the members of a message, by their numbers. There are none without a name.
type schema []member

// member is how a field is written.
type member struct {
	name    string
	as      encoding
	isList  bool
	numbers func(packed message) func(yield func(field) bool) // of a list that is packed; else nil
}

// encoding appends a value.
type encoding func([]byte, field) []byte

func one(name string, as encoding) member  { return member{name: name, as: as} }
func many(name string, as encoding) member { return member{name: name, as: as, isList: true} }

func packed(name string, numbers func(message) func(func(field) bool), as encoding) member {
	return member{name, as, true, numbers}
}

// append appends an object of what m says.
func (s schema) append(b []byte, m message) []byte {
	b = append(b, '{')
	empty := len(b)
	for number, member := range s {
		if values := m.values(protowire.Number(number)); member.name != "" && len(values) > 0 {
			if len(b) > empty {
				b = append(b, ',')
			}
			b = append(append(append(b, '"'), member.name...), `":`...)
			b = member.append(b, values)
		}
	}
	return append(b, '}')
}

func (m message) values(number protowire.Number) (values []field) {
	for f := range m.fields {
		if f.number == number {
			values = append(values, f)
		}
	}
	return values
}

func (m member) append(b []byte, values []field) []byte {
	if !m.isList {
		return m.as(b, values[len(values)-1])
	}
	b = append(b, '[')
	empty := len(b)
	element := func(f field) bool {
		if len(b) > empty {
			b = append(b, ',')
		}
		b = m.as(b, f)
		return true
	}
	for _, f := range values {
		if m.numbers != nil {
			m.numbers(f.bytes)(element)
		} else {
			element(f)
		}
	}
	return append(b, ']')
}

// fixed64s yields the numbers of a packed list of 8 bytes each.
func fixed64s(packed message) func(yield func(field) bool) {
	return func(yield func(field) bool) {
		for ; len(packed) >= 8; packed = packed[8:] {
			if !yield(field{bits: binary.LittleEndian.Uint64(packed)}) {
				return
			}
		}
	}
}

// varints yields the numbers of a packed list of varints.
func varints(packed message) func(yield func(field) bool) {
	return func(yield func(field) bool) {
		for len(packed) > 0 {
			bits, n := protowire.ConsumeVarint(packed)
			if n < 0 || !yield(field{bits: bits}) {
				return
			}
			packed = packed[n:]
		}
	}
}

// in returns the encoding of a message.
func in(s *schema) encoding { return func(b []byte, f field) []byte { return s.append(b, f.bytes) } }

func text(b []byte, f field) []byte { return handler.AppendJSON(b, string(f.bytes)) }

func hexText(b []byte, f field) []byte {
	return append(hex.AppendEncode(append(b, '"'), f.bytes), '"')
}

func base64Text(b []byte, f field) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), f.bytes), '"')
}

func boolean(b []byte, f field) []byte { return strconv.AppendBool(b, f.bits != 0) }

// number is for those of 32 bits, and of enumerations.
func number(b []byte, f field) []byte { return strconv.AppendUint(b, f.bits, 10) }

func zigzag(b []byte, f field) []byte {
	return strconv.AppendInt(b, protowire.DecodeZigZag(f.bits), 10)
}

func unsigned64(b []byte, f field) []byte {
	return append(strconv.AppendUint(append(b, '"'), f.bits, 10), '"')
}

func signed64(b []byte, f field) []byte {
	return append(strconv.AppendInt(append(b, '"'), int64(f.bits), 10), '"')
}

func double(b []byte, f field) []byte {
	v := math.Float64frombits(f.bits)
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}
