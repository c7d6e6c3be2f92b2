package wire_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"spangate/balancer"
	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/handler/wire/wiretest"
)

func TestFirstBytes(t *testing.T) {
	const limit, long = time.Second, time.Minute
	const ten = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
	tests := map[string]struct {
		method   string        // GET unless given
		upload   []string      // told by the client with long pauses
		length   int64         // of the upload, if it says so
		pause    time.Duration // of the backend, between
		response []string      // these
		first    bool          // the first of which comes before the backend has read the upload

		want     string // body or error type
		wantTime time.Duration
	}{
		"all at once":                              {response: []string{ten + "0123456789"}, want: "0123456789"},
		"the body soon after the header":           {pause: limit / 2, response: []string{ten, "0123456789"}, want: "0123456789", wantTime: limit / 2},
		"the rest much later":                      {pause: long, response: []string{ten + "01234", "56789"}, want: "0123456789", wantTime: long},
		"no body in time":                          {pause: long, response: []string{ten, "0123456789"}, want: "response_timeout", wantTime: limit},
		"no body in time, after an upload":         {method: "PUT", upload: []string{"sum"}, pause: long, response: []string{ten, "0123456789"}, want: "response_timeout", wantTime: limit},
		"the same, of known length":                {method: "PUT", upload: []string{"sum"}, length: 3, pause: long, response: []string{ten, "0123456789"}, want: "response_timeout", wantTime: limit},
		"the header before a slow upload":          {method: "PUT", upload: []string{"s", "um"}, response: []string{ten, "0123456789"}, first: true, want: "0123456789", wantTime: long},
		"the same, of known length ":               {method: "PUT", upload: []string{"s", "um"}, length: 3, response: []string{ten, "0123456789"}, first: true, want: "0123456789", wantTime: long},
		"broken off after the header":              {response: []string{ten}, want: "backend_reset"},
		"broken off amid the body":                 {response: []string{ten + "01234"}, want: "backend_reset amid the body"},
		"a stream that begins later":               {pause: long, response: []string{"HTTP/1.1 200 OK\r\n\r\n", "0123456789"}, want: "0123456789", wantTime: long},
		"in answer to HEAD":                        {method: "HEAD", pause: long, response: []string{ten, "never asked for"}},
		"no content, though a length is told":      {pause: long, response: []string{"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", ""}},
		"longer than what is read ahead of anyone": {response: []string{"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + strings.Repeat("0123456789", 1000)}, want: strings.Repeat("0123456789", 1000)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := wire.TransportOver(wire.TransportConfig{ResponseTimeout: limit}, func() net.Conn {
					near, far := net.Pipe()
					go func() {
						defer far.Close()
						r, err := http.ReadRequest(bufio.NewReader(far))
						if err != nil {
							t.Error(err)
							return
						}
						response := test.response
						if test.first {
							io.WriteString(far, response[0])
							response = response[1:]
						}
						io.Copy(io.Discard, r.Body)
						io.Copy(far, wiretest.Told(test.pause, response...))
					}()
					return near
				})
				r := httptest.NewRequest("GET", "http://backend/", nil)
				if test.method != "" {
					r.Method = test.method
				}
				if test.upload != nil {
					r.Body, r.ContentLength = wiretest.Told(long, test.upload...), -1
				}
				if test.length > 0 {
					r.ContentLength = test.length
				}
				began := time.Now()
				resp, err := rt.RoundTrip(r)
				var got string
				if err != nil {
					got = string(fault.Of(t.Context(), err).Type)
				} else {
					body, err := io.ReadAll(iotest.OneByteReader(resp.Body))
					got = string(body)
					if err != nil {
						got = string(fault.OfBody(t.Context(), err).Type) + " amid the body"
					}
					resp.Body.Close()
				}
				if took := time.Since(began); got != test.want || took != test.wantTime {
					t.Errorf("got %q after %v, want %q after %v", got, took, test.want, test.wantTime)
				}
				closeIdle(rt)        // nobody can look at what comes on a pipe
				time.Sleep(3 * long) // the backend ends as well
			})
		})
	}
}

// A response without content may tell how long its content would be.
func TestNoContentOverHTTP2(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusNoContent, http.StatusNotModified} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if status == http.StatusNotModified {
				w.Header().Set("Content-Length", "100")
			}
			w.WriteHeader(status)
		}))
		server.Config.Protocols = new(http.Protocols)
		server.Config.Protocols.SetUnencryptedHTTP2(true)
		server.Start()
		defer server.Close()
		resp, err := backendAt(t, balancer.Config{}, strings.Replace(server.URL, "http:", "h2c:", 1)).RoundTrip(httptest.NewRequest("GET", "/path", nil))
		if err != nil {
			t.Errorf("%d: %v", status, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if len(body) > 0 || err != nil || resp.StatusCode != status {
			t.Errorf("%d: got %d with the body %q, %v", status, resp.StatusCode, body, err)
		}
	}
}
