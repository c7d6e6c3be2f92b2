package handler

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/fault"
)

// stream is a response's writer of HTTP/2 whose reads end by a deadline.
type stream struct {
	*httptest.ResponseRecorder
	body *io.PipeWriter
}

func (s stream) SetReadDeadline(time.Time) error { return s.body.CloseWithError(timeoutError{}) }

type timeoutError struct{}

func (timeoutError) Error() string   { return "timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestPauses has a client of HTTP/2 send a byte, pause, and send another one, to
// a backend that answers when it has read so much. With a limit of a minute a
// pause of an hour ends the upload, unless the backend has answered before, or
// does not read, or the bytes come in time.
func TestPauses(t *testing.T) {
	for name, test := range map[string]struct {
		pause   time.Duration
		before  int           // bytes that the backend reads before it answers
		busy    time.Duration // that the backend takes between two bytes
		want    int
		content string
	}{
		"a pause":                       {time.Hour, 2, 0, 408, ""},
		"a pause once the answer began": {time.Hour, 1, 0, 200, "ab"},
		"no pause":                      {59 * time.Second, 2, 0, 200, "ab"},
		"a backend that takes its time": {0, 2, time.Hour, 200, "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from, to := io.Pipe()
				backend := roundTrip(func(r *http.Request) (*http.Response, error) {
					answer, say := io.Pipe()
					head := make([]byte, 0, 2)
					for len(head) < min(test.before, 2) {
						if len(head) > 0 {
							time.Sleep(test.busy)
						}
						if _, err := io.ReadFull(r.Body, head[:len(head)+1][len(head):]); err != nil {
							return nil, fault.Of(r.Context(), err)
						}
						head = head[:len(head)+1]
					}
					go func() {
						say.Write(head)
						_, err := io.Copy(say, r.Body)
						say.CloseWithError(err)
					}()
					return &http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: answer, ContentLength: -1}, nil
				})
				w := stream{httptest.NewRecorder(), to}
				r := httptest.NewRequest("POST", "/", from)
				r.ProtoMajor, r.ProtoMinor, r.ContentLength = 2, 0, -1
				left := make(chan struct{})
				go func() {
					defer close(left)
					io.WriteString(to, "a")
					time.Sleep(test.pause)
					io.WriteString(to, "b")
					to.Close()
				}()
				Forward(backend, ForwardConfig{ClientTimeout: time.Minute}).ServeHTTP(w, r)
				<-left
				if got := w.Code; got != test.want || test.content != "" && w.Body.String() != test.content {
					t.Errorf("%d %q, want %d %q", got, w.Body, test.want, test.content)
				}
			})
		})
	}
}
