package http1_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/http1"
	"spangate/handler/wire/http1/http1test"
)

func TestResponseRules(t *testing.T) {
	for _, r := range http1test.Responses {
		for cut, arrive := range cuts {
			t.Run(r.Section+" "+r.Name+"/"+cut, func(t *testing.T) {
				method, in, found := strings.Cut(r.In, "|")
				if !found {
					method, in = "GET", r.In
				}
				if diff := cmp.Diff(r.Out, sentResponse(t, arrive([]byte(in)), method)); diff != "" {
					t.Errorf("%.500q (-want +got):\n%s", in, diff)
				}
			})
		}
	}
}

// sentResponse is sentRequest of a response to a request of that method.
func sentResponse(t *testing.T, src io.Reader, method string) string {
	t.Helper()
	m, err := readResponse(src, method, 4<<10)
	if err != nil {
		return err.Error()
	}
	sent, err := m.appendRest(m.appendStatusLine(nil), m.withoutContent(method))
	if err != nil {
		t.Fatal(err)
	}
	if m.rest != "" {
		return string(sent) + http1test.Next + m.rest
	}
	return string(sent)
}

func TestChunkRules(t *testing.T) {
	for _, r := range http1test.Chunks {
		for cut, arrive := range cuts {
			t.Run(r.Section+" "+r.Name+"/"+cut, func(t *testing.T) {
				wantRequest, wantResponse := r.Out, r.Out
				if r.Out[0] < 'a' || strings.HasPrefix(r.Out, "a\r\n") {
					wantRequest, wantResponse = post+chunked+"\r\n"+r.Out, ok+chunked+"\r\n"+r.Out
				} else if strings.HasPrefix(r.Out, "malformed") {
					wantRequest = "400 " + r.Out
				} else if r.Out == http1.ErrTooLarge.Error() {
					wantRequest = "431 " + r.Out
				}
				if diff := cmp.Diff(wantRequest, sentRequest(t, arrive([]byte(post+chunked+"\r\n"+r.In)))); diff != "" {
					t.Errorf("request, %.500q (-want +got):\n%s", r.In, diff)
				}
				if diff := cmp.Diff(wantResponse, sentResponse(t, arrive([]byte(ok+chunked+"\r\n"+r.In)), "GET")); diff != "" {
					t.Errorf("response, %.500q (-want +got):\n%s", r.In, diff)
				}
			})
		}
	}
}

// TestAnnouncedTrailers checks what Trailer says, in both directions.
func TestAnnouncedTrailers(t *testing.T) {
	for name, test := range map[string]struct{ value, want string }{
		"names":               {"x-sum, Expires", "[Expires X-Sum]"},
		"empty elements":      {", X-Sum,, ", "[X-Sum]"},
		"what is no name":     {"X Y, X-Sum", "[X-Sum]"},
		"none":                {",", "[]"},
		"a length":            {"X, content-length", "malformed message: a Trailer that names Content-Length"},
		"a coding":            {"Transfer-Encoding", "malformed message: a Trailer that names Transfer-Encoding"},
		"itself":              {"Trailer", "malformed message: a Trailer that names Trailer"},
		"more than can be":    {manyNames(1001), "a header that is too large"},
		"as many as there be": {manyNames(1000), fmt.Sprint(strings.Split(manyNames(1000), ","))},
	} {
		t.Run(name, func(t *testing.T) {
			fields := chunked + "Trailer: " + test.value + "\r\n\r\n0\r\n\r\n"
			request, err := readRequest(strings.NewReader(post+fields), 100)
			response, responseErr := readResponse(strings.NewReader(ok+fields), "GET", 100)
			for _, got := range []string{result(request, err), result(response, responseErr)} {
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
	const unchunked = "Trailer: Content-Length\r\nContent-Length: 0\r\n\r\n"
	if m, err := readRequest(strings.NewReader(post+unchunked), 100); err != nil || m.announced != nil || m.header["Trailer"] == nil {
		t.Errorf("without chunks: %v, %v", m, err)
	}
}

func manyNames(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("X%04d", i)
	}
	return strings.Join(names, ",")
}

func result(m message, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(m.announced)
}
