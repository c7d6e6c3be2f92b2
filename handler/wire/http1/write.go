package http1

import (
	"maps"
	"math/bits"
	"net/http"
	"slices"
	"strconv"
)

// AppendFields appends field lines for all of header but those that leave says, by
// their canonical names, and the empty line behind them. They are in the order of their
// names: what is sent twice is the same twice, and lines whose names differ in case only
// stay in one order. Its error is [Malformed] for what cannot be sent, and then it
// appends nothing.
func AppendFields(b []byte, header http.Header, leave func(name string) bool) ([]byte, error) {
	switch n := len(header); {
	case n <= 12:
		return appendTwelve(b, header, leave)
	case n <= maxFew:
		return appendTwentyFour(b, header, leave)
	}
	return appendMany(b, header, leave)
}

// maxFew is for how many names it costs little to sort them as they come.
const maxFew = 24

// What follows has memory for as many names as come, as it is cleared first. Each has a
// stack frame of its own, so that both do not add up.

//go:noinline
func appendTwelve(b []byte, header http.Header, leave func(name string) bool) ([]byte, error) {
	var few [12]fieldLines
	return appendFew(b, header, leave, few[:])
}

//go:noinline
func appendTwentyFour(b []byte, header http.Header, leave func(name string) bool) ([]byte, error) {
	var few [maxFew]fieldLines
	return appendFew(b, header, leave, few[:])
}

// appendFew is [AppendFields] for no more than are sorted as they come, with room for
// them.
func appendFew(b []byte, header http.Header, leave func(name string) bool, few []fieldLines) ([]byte, error) {
	begin := len(b)
	var order [maxFew]uint64 // the first bytes of each name, and its place in few
	n := 0
	for name, values := range header {
		if leave != nil && leave(name) || len(values) == 0 {
			continue
		}
		few[n] = fieldLines{name, values}
		key, at := beginning(name)&^0xff|uint64(n), n
		for ; at > 0; at-- {
			before := order[at-1]
			if before < key && (before>>8 < key>>8 || few[before&0xff].name < name) {
				break
			}
			order[at] = before
		}
		order[at] = key
		n++
	}
	for _, key := range order[:n] {
		var err error
		if b, err = few[key&0xff].append(b); err != nil {
			return b[:begin], err
		}
	}
	return append(b, "\r\n"...), nil
}

// appendMany is [AppendFields] for more than that.
func appendMany(b []byte, header http.Header, leave func(name string) bool) ([]byte, error) {
	begin := len(b)
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if leave != nil && leave(name) || len(header[name]) == 0 {
			continue
		}
		var err error
		if b, err = (&fieldLines{name, header[name]}).append(b); err != nil {
			return b[:begin], err
		}
	}
	return append(b, "\r\n"...), nil
}

// fieldLines are the lines of one name.
type fieldLines struct {
	name   string
	values []string
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

// beginning returns the first bytes of name as a number of the same order.
func beginning(name string) (n uint64) {
	if len(name) >= 8 {
		return bits.ReverseBytes64(eightOf(name))
	}
	for i := range len(name) {
		n |= uint64(name[i]) << (56 - 8*i)
	}
	return n
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
