package connect

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// fed is a connection on which text comes, for ever if the last of it is endless.
type fed struct {
	net.Conn
	io.Reader
	closed bool
}

func (f *fed) Read(p []byte) (int, error)  { return f.Reader.Read(p) }
func (f *fed) Write(p []byte) (int, error) { return len(p), nil }
func (f *fed) Close() error                { f.closed = true; return nil }

type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e)
	}
	return n, nil
}

func TestRepliesAreBounded(t *testing.T) {
	for name, test := range map[string]struct {
		text     string
		forever  endless
		tooLarge bool
	}{
		"small ones":                  {text: "+OK\r\n:1\r\n-ERR no\r\n$-1\r\n*-1\r\n$0\r\n\r\n*2\r\n:1\r\n:2\r\n_\r\n#t\r\n"},
		"a text that looks like one":  {text: "$24\r\n*99999999999999999999999\r\n+OK\r\n"},
		"a large text":                {text: "$1000000\r\n" + strings.Repeat("x", 1000000) + "\r\n+OK\r\n"},
		"a long list":                 {text: "*10000\r\n" + strings.Repeat(":1\r\n", 10000)},
		"many texts":                  {text: strings.Repeat("$5\r\nhello\r\n", 100000)},
		"an announced text":           {text: "$4194305\r\n", tooLarge: true},
		"an announced list":           {text: "*262145\r\n", tooLarge: true},
		"an announced map":            {text: "%65537\r\n", tooLarge: true},
		"a number of many digits":     {text: "$" + strings.Repeat("9", 1000) + "\r\n", tooLarge: true},
		"leading zeros":               {text: "$0000000000000000000000000000009999999\r\n", tooLarge: true},
		"a list of lists":             {text: strings.Repeat("*100000\r\n", 3), tooLarge: true},
		"a list behind a text":        {text: "$1\r\nx\r\n*99999999\r\n", tooLarge: true},
		"a line for ever":             {text: "+", forever: "x", tooLarge: true},
		"lines for ever":              {forever: "+OK\r\n", tooLarge: true},
		"a text, and then for ever":   {text: "$1\r\nx\r\n", forever: "\x00", tooLarge: true},
		"what is announced, for ever": {text: "$1000\r\n", forever: "x", tooLarge: true},
	} {
		t.Run(name, func(t *testing.T) {
			for how, cut := range map[string]func(io.Reader) io.Reader{
				"whole":           func(r io.Reader) io.Reader { return r },
				"byte by byte":    iotest.OneByteReader,
				"half and half":   iotest.HalfReader,
				"error with data": iotest.DataErrReader,
			} {
				from := io.Reader(strings.NewReader(test.text))
				if test.forever != "" {
					from = io.MultiReader(from, test.forever)
				}
				conn := &fed{Reader: cut(from)}
				n, err := io.Copy(io.Discard, bound(conn))
				switch {
				case test.tooLarge && (!errors.Is(err, errReplies) || !conn.closed || n > maxReplies):
					t.Errorf("%s: %d bytes, %v, closed %v, want that it is too large", how, n, err, conn.closed)
				case !test.tooLarge && (err != nil || int(n) != len(test.text)):
					t.Errorf("%s: %d bytes of %d, %v", how, n, len(test.text), err)
				}
			}
		})
	}
}

// Each write may be answered by as much.
func TestRepliesOfSeveralWrites(t *testing.T) {
	text := "$1000000\r\n" + strings.Repeat("x", 1000000) + "\r\n"
	r := bound(&fed{Reader: strings.NewReader(strings.Repeat(text, 10))})
	for range 10 {
		r.Write([]byte("GET"))
		if _, err := io.CopyN(io.Discard, r, int64(len(text))); err != nil {
			t.Fatal(err)
		}
	}
}
