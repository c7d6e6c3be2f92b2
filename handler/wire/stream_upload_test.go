package wire

import (
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"testing"
	"testing/iotest"

	"spangate/handler/fault"
)

// TestABodyThatIsClosedHasNotFailed checks that whoever still reads a body when the
// attempt at sending it is given up, as net/http does when a backend refuses a
// stream, does not make it seem that the body was what failed.
func TestABodyThatIsClosedHasNotFailed(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"complete":           {io.EOF, false},
		"given up":           {fmt.Errorf("closed: %w", fault.ErrGivenUp), false},
		"broken by a client": {&fault.RequestBodyError{Err: errors.New("reset")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			u := newStreamUpload(httptest.NewRequest("POST", "/", iotest.ErrReader(test.err)), nil)
			u.Read(make([]byte, 1))
			if got := u.failed(); got != test.want {
				t.Errorf("failed is %v, want %v", got, test.want)
			}
		})
	}
}
