package wire

import (
	"net/http"
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
				g := &givenUp{cancel: func() { ended++ }}
				g.begun.Store(begun)
				g.bodyClosed()
				if body := g.answered(http.NoBody); body != http.NoBody {
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
