package wire

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An answer without content, of which nothing is waited for, ends the watch: it
// would go on for as long as the process.
func TestNothingIsGivenUpAfterAnAnswerWithoutContent(t *testing.T) {
	for name, begun := range map[string]bool{"told before its header": false, "told after it": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := 0
				g := &givenUp{ctx: t.Context(), cancel: func() { ended++ }, lost: new(atomic.Bool)}
				g.begun.Store(begun)
				g.bodyClosed()
				if body := g.answered(http.StatusOK, http.NoBody); body != http.NoBody {
					t.Errorf("the body is %v", body)
				}
				time.Sleep(time.Minute)
				if ended > 0 {
					t.Errorf("ended %d times", ended)
				}
			})
		})
	}
}

// Whoever reads the body of an answer is told by net/http of how its stream ends, and may
// come to know of it late on a busy machine. So a read is ended only where nothing will
// come of it.
func TestReadsThatAreGivenUp(t *testing.T) {
	const minute = time.Minute
	errClosed := errors.New("closed")
	for name, test := range map[string]struct {
		status int
		told   time.Duration // of a regular end; 0: never
		lost   time.Duration // the connection is, after that; 0: never
		want   error
		ended  time.Duration // at most
	}{
		"a regular end that is noticed late":     {200, time.Second, 0, io.EOF, time.Second},
		"an answer that goes on without a body":  {404, minute, 0, io.EOF, minute},
		"a connection that is lost":              {200, 0, 1, errClosed, time.Second},
		"a connection that is lost in an answer": {404, 0, minute, errClosed, minute + time.Second},
		"a regular end before a connection's":    {200, 100 * time.Millisecond, 1, io.EOF, time.Second},
		"what is no HTTP/2":                      {200, 0, 0, errClosed, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lost atomic.Bool
				if test.lost > 0 {
					time.AfterFunc(test.lost, func() { lost.Store(true) })
				}
				answer, ends := io.Pipe()
				if test.told > 0 {
					time.AfterFunc(test.told, func() { ends.Close() })
				}
				g := &givenUp{ctx: t.Context(), cancel: func() {}, lost: &lost}
				body := g.answered(test.status, closing{answer, func() { ends.CloseWithError(errClosed) }})
				began := time.Now()
				g.bodyClosed()
				_, err := body.Read(make([]byte, 1))
				if took := time.Since(began); err != test.want || took > test.ended {
					t.Errorf("ended with %v after %v, want %v, after %v at most", err, took, test.want, test.ended)
				}
			})
		})
	}
}

// closing is what close is called on once it is closed.
type closing struct {
	io.Reader
	close func()
}

func (c closing) Close() error {
	c.close()
	return nil
}
