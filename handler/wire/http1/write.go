package http1

import (
	"net/http"
	"slices"
	"strconv"
)

// AppendFields appends field lines for all of header but those that leave says, by
// their canonical names, and the empty line behind them. Its error is [Malformed] for
// what cannot be sent, and then it appends nothing.
func AppendFields(b []byte, header http.Header, leave func(name string) bool) ([]byte, error) {
	begin := len(b)
	var few [32]string
	names := few[:0]
	for name := range header {
		if leave == nil || !leave(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if !isToken(name) {
			return b[:begin], malformed("field name %.40q", name)
		}
		for _, value := range header[name] {
			if !isValue(value) {
				return b[:begin], malformed("value of field %.40q with a control character", name)
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, value...)
			b = append(b, "\r\n"...)
		}
	}
	return append(b, "\r\n"...), nil
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
