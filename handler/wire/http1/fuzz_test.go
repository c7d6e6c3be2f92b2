package http1_test

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/http/httpguts"

	"spangate/handler/wire/http1"
	"spangate/handler/wire/http1/http1test"
)

// The targets check of what is read that
//   - it does not depend on the pieces in which it comes,
//   - net/http reads it in the same way, and takes its end for the same, but for what
//     is listed in theirs,
//   - what is sent on for it is read in that way again, by both.

var compare = cmp.Options{cmp.AllowUnexported(message{}), cmpopts.EquateEmpty()}

// FuzzRequest checks requests.
func FuzzRequest(f *testing.F) {
	for _, r := range http1test.Requests {
		if len(r.In) < 1000 {
			f.Add([]byte(r.In), byte(3))
		}
	}
	f.Fuzz(func(t *testing.T, sent []byte, size byte) {
		checkRequest(t, sent, int(size))
	})
}

func checkRequest(t *testing.T, sent []byte, size int) {
	m, ok := whole(t, sent, size, readRequest)
	if !ok {
		return
	}
	sameAs(t, m, bytes.TrimPrefix(sent, []byte("\r\n")), theirRequest) // its server passes over the line itself
	again, err := m.appendRest(m.appendRequestLine(nil), false)
	if err != nil {
		t.Fatalf("cannot be sent: %v", err)
	}
	want := m.sentOn(false)
	if got, err := readRequest(bytes.NewReader(again), 1<<10); err != nil || !cmp.Equal(want, got, compare) {
		t.Errorf("%q, sent on as %q: %v (-read +read again):\n%s", sent, again, err, cmp.Diff(want, got, compare))
	}
	sameAs(t, want, again, theirRequest)
}

// FuzzResponse checks responses to requests of each kind of method.
func FuzzResponse(f *testing.F) {
	for _, r := range http1test.Responses {
		_, in, found := strings.Cut(r.In, "|")
		if !found {
			in = r.In
		}
		if len(in) < 1000 {
			f.Add([]byte(in), byte(3))
			f.Add([]byte(in), byte(130))
			f.Add([]byte(in), byte(250))
		}
	}
	f.Fuzz(func(t *testing.T, sent []byte, size byte) {
		method := []string{"GET", "GET", "HEAD", "CONNECT"}[size>>6]
		checkResponse(t, sent, int(size), method)
	})
}

func checkResponse(t *testing.T, sent []byte, size int, method string) {
	read := func(src io.Reader, size int) (message, error) { return readResponse(src, method, size) }
	m, ok := whole(t, sent, size, read)
	if !ok {
		return
	}
	theirs := func(in *bufio.Reader) (message, error) { return theirResponse(in, method) }
	tunnel := method == "CONNECT" && m.withoutContent(method) // net/http's transport knows of them, and its reader does not
	if !tunnel {
		sameAs(t, m, sent, theirs)
	}
	again, err := m.appendRest(m.appendStatusLine(nil), m.withoutContent(method))
	if err != nil {
		t.Fatalf("cannot be sent: %v", err)
	}
	want := m.sentOn(m.withoutContent(method))
	if got, err := read(bytes.NewReader(again), 1<<10); err != nil || !cmp.Equal(want, got, compare) {
		t.Errorf("%q, sent on as %q: %v (-read +read again):\n%s", sent, again, err, cmp.Diff(want, got, compare))
	}
	if !tunnel {
		sameAs(t, want, again, theirs)
	}
}

// FuzzChunks checks content in chunks, and what follows it.
func FuzzChunks(f *testing.F) {
	for _, r := range http1test.Chunks {
		if len(r.In) < 1000 {
			f.Add([]byte(r.In), byte(3))
		}
	}
	f.Fuzz(func(t *testing.T, sent []byte, size byte) {
		checkRequest(t, append([]byte(post+chunked+"\r\n"), sent...), int(size))
		checkResponse(t, append([]byte(ok+chunked+"\r\n"), sent...), int(size), "GET")
	})
}

// FuzzFields checks that fields that are sent, as those of a header and of a trailer,
// arrive, whatever they are, or are refused.
func FuzzFields(f *testing.F) {
	f.Add("X-Foo", "bar", "X-Foo", " baz\t")
	f.Add("x-foo", "", "X-FOO", "\xff")
	f.Add("X: y\r\nZ", "bar", "X", "y\r\nZ: z")
	f.Add("Content-Length", "5", "transfer-encoding", "chunked")
	f.Add("Connection", "close", "Trailer", "Connection, X")
	f.Add("", "bar", "X ", "\x00")
	f.Fuzz(func(t *testing.T, name, value, other, another string) {
		h := http.Header{name: {value}}
		h[other] = append(h[other], another)
		framing := func(name string) bool {
			switch http.CanonicalHeaderKey(name) {
			case "Connection", "Content-Length", "Host", "Trailer", "Transfer-Encoding":
				return true
			}
			return false
		}
		b, err := http1.AppendFields([]byte(post+chunked), h, framing)
		if err != nil {
			if string(b) != post+chunked {
				t.Errorf("%v: refused for %v, and sent as %q", h, err, b)
			}
			for name, values := range h {
				if !framing(name) && (!httpguts.ValidHeaderFieldName(name) || slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) })) {
					return
				}
			}
			t.Fatalf("%v: refused for %v", h, err)
		}
		if b, err = http1.AppendLastChunk(b, h); err != nil {
			return // what is framing may be none of a field
		}
		want := message{method: "POST", target: "/", url: parts(&url.URL{Path: "/"}), host: "a", length: -1, header: http.Header{}, trailer: http.Header{}}
		for _, name := range slices.Sorted(slices.Values(keys(h))) {
			for _, value := range h[name] {
				if value = strings.Trim(value, " \t"); !framing(name) {
					want.header.Add(name, value)
				}
				want.trailer.Add(name, value)
			}
		}
		if got, err := readRequest(bytes.NewReader(b), 1<<10); err != nil || !cmp.Equal(want, got, compare) {
			t.Errorf("%v, sent as %q: %v (-sent +read):\n%s", h, b, err, cmp.Diff(want, got, compare))
		}
		sameAs(t, want, b, theirRequest)
		checkRequest(t, b, 3)
	})
}

// whole reads a message that comes in one piece, and reports whether it is one. It
// checks that it is the same in others.
func whole(t *testing.T, sent []byte, size int, read func(src io.Reader, size int) (message, error)) (message, bool) {
	t.Helper()
	m, err := read(bytes.NewReader(sent), 4<<10)
	for cut, src := range map[string]io.Reader{
		"byte by byte":  iotest.OneByteReader(bytes.NewReader(sent)),
		"in pieces":     pieces{bytes.NewReader(sent), size%61 + 2},
		"with its end":  iotest.DataErrReader(bytes.NewReader(sent)),
		"in two pieces": io.MultiReader(bytes.NewReader(sent[:size*len(sent)/256]), bytes.NewReader(sent[size*len(sent)/256:])),
	} {
		if got, gotErr := read(src, size%31+1); (err == nil) != (gotErr == nil) || err != nil && err.Error() != gotErr.Error() || err == nil && !cmp.Equal(m, got, compare) {
			t.Errorf("%q, at once: %v, %s: %v (-at once +so):\n%s", sent, err, cut, gotErr, cmp.Diff(m, got, compare))
		}
	}
	return m, err == nil
}

// sentOn returns m as it is read when it is sent on: what follows is another message,
// and what is of a connection is said anew.
func (m message) sentOn(withoutContent bool) message {
	m.header = maps.Clone(m.header)
	delete(m.header, "Connection")
	if m.close {
		m.header["Connection"] = []string{"close"}
	}
	if withoutContent {
		m.announced = nil // there are no chunks
	} else if m.header["Content-Length"] != nil {
		m.header["Content-Length"] = []string{strconv.FormatInt(m.length, 10)}
	}
	m.rest = ""
	return m
}

// sameAs checks that net/http's reader takes sent for m, and for nothing more.
func sameAs(t *testing.T, m message, sent []byte, theirs func(*bufio.Reader) (message, error)) {
	t.Helper()
	got, err := theirs(bufio.NewReaderSize(bytes.NewReader(sent), 128<<10)) // a trailer has to fit in
	if err != nil {
		// RFC 9112 §7.1.1 has blanks before an extension read, and net/http does not.
		if err.Error() == "invalid byte in chunk length" && blanks.Match(sent) {
			return
		}
		t.Errorf("%q: net/http has %v", sent, err)
		return
	}
	m.header = maps.Clone(m.header)
	if pragma := m.header["Pragma"]; len(pragma) > 0 && pragma[0] == "no-cache" && m.header["Cache-Control"] == nil {
		delete(got.header, "Cache-Control") // which net/http adds
	}
	if m.status != "" && m.close && got.header["Connection"] == nil {
		delete(m.header, "Connection") // which net/http removes
	}
	if m.status != "" && m.header["Content-Length"] == nil && m.length == 0 {
		delete(got.header, "Content-Length") // which must not be there, in answer to HEAD neither
		got.length = 0
	}
	if !cmp.Equal(m, got, compare) {
		t.Errorf("%q (-ours +net/http's):\n%s", sent, cmp.Diff(m, got, compare))
	}
}

var blanks = regexp.MustCompile("[ \t];")

func theirRequest(in *bufio.Reader) (message, error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return message{}, err
	}
	m := message{
		method: r.Method, target: r.RequestURI, host: r.Host, url: parts(r.URL), header: r.Header, announced: announced(r.Trailer), length: r.ContentLength, close: r.Close,
	}
	err = m.readTheirs(in, r.Body, &r.Trailer)
	return m, err
}

func theirResponse(in *bufio.Reader, method string) (message, error) {
	r, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		return message{}, err
	}
	m := message{status: r.Status, header: r.Header, announced: announced(r.Trailer), length: r.ContentLength, close: r.Close}
	err = m.readTheirs(in, r.Body, &r.Trailer)
	return m, err
}

// announced returns the names in Trailer, without those that are none, which net/http
// keeps.
func announced(trailer http.Header) []string {
	return slices.DeleteFunc(keys(trailer), func(name string) bool { return !httpguts.ValidHeaderFieldName(name) })
}

func (m *message) readTheirs(in *bufio.Reader, body io.Reader, trailer *http.Header) error {
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	m.content, m.trailer = string(content), *trailer
	maps.DeleteFunc(m.trailer, func(_ string, values []string) bool { return values == nil }) // announced, and not there
	rest, err := io.ReadAll(in)
	m.rest = string(rest)
	return err
}
