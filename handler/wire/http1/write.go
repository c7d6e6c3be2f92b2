package http1

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// AppendFields appends field lines for all of header but those that leave says, by
// their canonical names, and the empty line behind them. Its error is [Malformed] for
// what cannot be sent, and then it appends nothing.
func AppendFields(b []byte, header http.Header, leave func(name string) bool) ([]byte, error) {
	begin := len(b)
	var few [24]fieldLines
	var places [24]uint8
	lines, order := few[:0], places[:0]
	for name, values := range header {
		if leave != nil && leave(name) {
			continue
		}
		if len(lines) == len(few) {
			return appendMany(b, header, leave)
		}
		line := fieldLines{beginning(name), name, values}
		at := len(order)
		for at > 0 && line.before(&lines[order[at-1]]) {
			at--
		}
		order = slices.Insert(order, at, uint8(len(lines)))
		lines = append(lines, line)
	}
	for _, at := range order {
		var err error
		if b, err = lines[at].append(b); err != nil {
			return b[:begin], err
		}
	}
	return append(b, "\r\n"...), nil
}

// appendMany is [AppendFields] for more than are sorted as they come.
func appendMany(b []byte, header http.Header, leave func(name string) bool) ([]byte, error) {
	begin := len(b)
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if leave != nil && leave(name) {
			continue
		}
		var err error
		if b, err = (&fieldLines{name: name, values: header[name]}).append(b); err != nil {
			return b[:begin], err
		}
	}
	return append(b, "\r\n"...), nil
}

// fieldLines are the lines of one name.
type fieldLines struct {
	beginning uint64 // of the name
	name      string
	values    []string
}

// beginning returns the first bytes of name as a number of the same order.
func beginning(name string) (n uint64) {
	if len(name) >= 8 {
		return uint64(name[7]) | uint64(name[6])<<8 | uint64(name[5])<<16 | uint64(name[4])<<24 |
			uint64(name[3])<<32 | uint64(name[2])<<40 | uint64(name[1])<<48 | uint64(name[0])<<56
	}
	for i := range len(name) {
		n |= uint64(name[i]) << (56 - 8*i)
	}
	return n
}

func (f *fieldLines) before(g *fieldLines) bool {
	return f.beginning < g.beginning || f.beginning == g.beginning && f.name < g.name
}

func (f *fieldLines) append(b []byte) ([]byte, error) {
	if !isToken(f.name) {
		return b, malformed("field name %.40q", f.name)
	}
	for _, value := range f.values {
		if !isValue(value) {
			return b, malformed("value of field %.40q with a control character", f.name)
		}
		b = append(append(b, f.name...), ": "...)
		b = append(append(b, value...), "\r\n"...)
	}
	return b, nil
}

// AppendChunkSize appends the line that precedes n bytes of content.
func AppendChunkSize(b []byte, n int) []byte {
	b = strconv.AppendUint(b, uint64(n), 16)
	return append(b, "\r\n"...)
}

// AppendLastChunk appends the end of chunked content, with the fields of trailer. Its
// error is that of [AppendFields].
func AppendLastChunk(b []byte, trailer http.Header) ([]byte, error) {
	all, err := AppendFields(append(b, "0\r\n"...), trailer, nil)
	if err != nil {
		return b, err
	}
	return all, nil
}
