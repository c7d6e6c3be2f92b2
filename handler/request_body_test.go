package handler

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// watchedBody knows whether somebody reads it.
type watchedBody struct {
	io.ReadCloser
	begun   chan struct{} // gets a value with each read
	reading atomic.Int32
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.reading.Add(1)
	defer b.reading.Add(-1)
	select {
	case b.begun <- struct{}{}:
	default:
	}
	return b.ReadCloser.Read(p)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A transport goes on reading what a client sends while its response has come to
// its end, or has failed.
func TestNobodyReadsTheBodyOfAnAnsweredRequest(t *testing.T) {
	for name, answer := range map[string]func() (*http.Response, error){
		"answered": func() (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
		},
		"failed": func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
	} {
		t.Run(name, func(t *testing.T) {
			var body *watchedBody
			forward := Forward(roundTripper(func(r *http.Request) (*http.Response, error) {
				go io.Copy(io.Discard, r.Body)
				<-body.begun
				return answer()
			}), ForwardConfig{})
			left := make(chan int32, 1)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body = &watchedBody{ReadCloser: r.Body, begun: make(chan struct{}, 1)}
				r.Body = body
				forward.ServeHTTP(w, r)
				left <- body.reading.Load()
			}))
			server.EnableHTTP2 = true
			server.StartTLS()
			defer server.Close()
			upload, rest := io.Pipe() // of which nothing comes
			defer rest.Close()
			resp, err := server.Client().Post(server.URL, "", upload)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if n := <-left; n != 0 {
				t.Errorf("%d reads of the body go on behind the answer", n)
			}
		})
	}
}
