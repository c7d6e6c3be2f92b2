package export

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// partial is an answer that takes an export, save so many items. None at all is
// a remark.
type partial struct {
	rejected int
	err      error
}

func (p *partial) Error() string { return p.err.Error() }
func (p *partial) Unwrap() error { return p.err }

// remarks reads an answer by which the collector has taken an export, and returns nil
// if it says no more. One that cannot be read is a remark as well: what was taken is
// neither lost nor to be sent again.
func remarks(resp *http.Response) error {
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // of each kind: the connection is used again
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	switch {
	case !strings.EqualFold(strings.TrimSpace(kind), "application/x-protobuf"):
		return nil
	case err != nil:
		return &partial{err: fmt.Errorf("the answer cannot be read: %w", err)}
	}
	return partialSuccess(answer)
}

// partialSuccess reads an ExportTraceServiceResponse, or its like for another signal:
// the fields have the same numbers. It returns nil for one that has nothing to say.
func partialSuccess(answer []byte) error {
	success, err := fieldOf(answer, 1)
	rejected, errRejected := fieldOf(success.bytes, 1)
	text, errText := fieldOf(success.bytes, 2)
	if err := cmp.Or(err, errRejected, errText); err != nil {
		return &partial{err: fmt.Errorf("the answer is no message: %w", err)}
	}
	n, message := int64(rejected.n), string(text.bytes)
	if n == 0 && message == "" {
		return nil
	}
	return &partial{max(int(n), 0), fmt.Errorf("partial success: %s (%d rejected)", cmp.Or(message, "empty message"), n)}
}

// field is one of a message; it is a number or bytes, or something else.
type field struct {
	number protowire.Number
	n      uint64
	bytes  []byte
}

// fieldOf returns the field with a number, the last one if there are several, or an
// empty one.
func fieldOf(message []byte, number protowire.Number) (found field, err error) {
	for f, err := range fields(message) {
		if err != nil {
			return field{}, err
		}
		if f.number == number {
			found = f
		}
	}
	return found, nil
}

// fields returns those of a message. An error ends them.
func fields(message []byte) iter.Seq2[field, error] {
	return func(yield func(field, error) bool) {
		for rest := message; len(rest) > 0; {
			f, n := consume(rest)
			if n < 0 {
				yield(field{}, protowire.ParseError(n))
				return
			}
			rest = rest[n:]
			if !yield(f, nil) {
				return
			}
		}
	}
}

// consume returns the first field and how many bytes it takes, or a negative number.
func consume(message []byte) (f field, n int) {
	number, kind, start := protowire.ConsumeTag(message)
	if start < 0 {
		return f, start
	}
	f.number, message = number, message[start:]
	switch kind {
	case protowire.VarintType:
		f.n, n = protowire.ConsumeVarint(message)
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(message)
	default:
		n = protowire.ConsumeFieldValue(number, kind, message)
	}
	if n < 0 {
		return f, n
	}
	return f, start + n
}
