package http1_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/http1"
)

// A rule of framing: what comes, and what goes on or why nothing does. Sections are
// of RFC 9112, or of RFC 9110 where they say so.
type rule struct{ section, name, in, out string }

const (
	get     = "GET / HTTP/1.1\r\nHost: a\r\n"
	post    = "POST / HTTP/1.1\r\nHost: a\r\n"
	chunked = "Transfer-Encoding: chunked\r\n"
	closes  = "Connection: close\r\n"
	hello   = post + chunked + "\r\n5\r\nhello\r\n0\r\n\r\n"
	last    = "\r\n0\r\n\r\n" // ends a chunk and the content
	much    = headLimit
	next    = " <rest> " // between what is read and what is left
)

var requestRules = []rule{
	{"2.2", "one empty line before is passed over", "\r\n" + get + "\r\n", get + "\r\n"},
	{"2.2", "no second one is", "\r\n\r\n" + get + "\r\n", `400 malformed message: request line "", which is not a method, a target and a version`},
	{"2.2", "an empty line in a bare LF", "\n" + get + "\r\n", "400 malformed message: a line that ends in a bare LF"},
	{"2.2", "a request line in a bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", "400 malformed message: a line that ends in a bare LF"},
	{"2.2", "a field line in a bare LF", "GET / HTTP/1.1\r\nHost: a\n\r\n", "400 malformed message: a line that ends in a bare LF"},
	{"2.2", "a head in a bare LF", get + "\n", "400 malformed message: a line that ends in a bare LF"},
	{"2.2", "a bare CR in the request line", "GET /\rHTTP/1.1\r\nHost: a\r\n\r\n", "400 malformed message: a bare CR"},
	{"2.2", "a bare CR in a field", get + "X: y\rZ: y\r\n\r\n", "400 malformed message: a bare CR"},
	{"2.2", "CR CR LF", get + "\r\r\n", "400 malformed message: a bare CR"},
	{"2.2", "a bare CR before", "\r" + get + "\r\n", "400 malformed message: a bare CR"},
	{"2.2", "blanks before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400 malformed message: a folded line"},
	{"2.3", "a version in small letters", "GET / http/1.1\r\nHost: a\r\n\r\n", `400 malformed message: version "http/1.1"`},
	{"2.3", "a version with more digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", `400 malformed message: version "HTTP/1.10"`},
	{"2.3", "a version with fewer", "GET / HTTP/2\r\nHost: a\r\n\r\n", `400 malformed message: version "HTTP/2"`},
	{"2.3", "a version with a sign", "GET / HTTP/+1.1\r\nHost: a\r\n\r\n", `400 malformed message: version "HTTP/+1.1"`},
	{"9110 2.5", "a higher minor version is read as the highest that is known", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", get + "\r\n"},
	{"9110 15.6.6", "another major version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505 version HTTP/2.0"},
	{"9110 15.6.6", "version 0.9 with a version", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", "505 version HTTP/0.9"},

	{"3", "no version", "GET /\r\n\r\n", `400 malformed message: request line "GET /", which is not a method, a target and a version`},
	{"3", "no version, and a client that waits", "GET /\r\n", `400 malformed message: request line "GET /", which is not a method, a target and a version`},
	{"3", "another protocol, whose client waits", "EHLO x\r\n", `400 malformed message: request line "EHLO x", which is not a method, a target and a version`},
	{"3", "nothing but a method", "GET\r\n\r\n", `400 malformed message: request line "GET", which is not a method, a target and a version`},
	{"3", "two versions", "GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: version "HTTP/1.1 HTTP/1.1"`},
	{"3", "two blanks before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: version "/ HTTP/1.1"`},
	{"3", "two blanks behind it", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: version " HTTP/1.1"`},
	{"3", "a blank behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", `400 malformed message: version "HTTP/1.1 "`},
	{"3", "a tab for a blank", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: request line "GET\t/ HTTP/1.1", which is not a method, a target and a version`},
	{"3", "a blank before the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: method ""`},
	{"3.1", "a method that is no token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: method "G(T"`},
	{"3.1", "NUL in a method", "G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: method "G\x00T"`},
	{"3.1", "methods are told by case", "get / HTTP/1.1\r\nHost: a\r\n\r\n", "get / HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"3.1", "any token is a method", "X!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: a\r\n\r\n", "X!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"3.2", "a target that is no path", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: target "x", which is no path, no URL and not *`},
	{"3.2", "no target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: target "", which is no path, no URL and not *`},
	{"3.2", "NUL in a target", "GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: target "\x00" with a control character`},
	{"3.2", "DEL in a target", "GET /?\x7f HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: target "\x7f" with a control character`},
	{"3.2", "a path that encodes nothing", "GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", "400 malformed message: target with %4, which encodes nothing"},
	{"3.2", "a query is not decoded", "GET /?%zz;a=\xff HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?%zz;a=\xff HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"3.2.1", "two slashes are no authority", "GET //b/c HTTP/1.1\r\nHost: a\r\n\r\n", "GET //b/c HTTP/1.1\r\nHost: a\r\n\r\n"},
	{"3.2.2", "of a URL and Host the URL counts", "GET http://b:80/c HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://b:80/c HTTP/1.1\r\nHost: b:80\r\n\r\n"},
	{"3.2.2", "a URL without an authority", "GET http:/c HTTP/1.1\r\nHost: a\r\n\r\n", "GET http:/c HTTP/1.1\r\nHost: a\r\n\r\n"}, // which the handler refuses
	{"3.2.2", "a URL with a malformed authority", "GET http://b:c/ HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: target "http://b:c/"`},
	{"3.2.2", "a URL with an authority that no Host can say", "GET http://%C3%A4/ HTTP/1.1\r\nHost: a\r\n\r\n", `400 malformed message: target "http://%C3%A4/"`},
	{"3.2.3", "CONNECT to an authority", "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"},
	{"3.2.3", "CONNECT without a port", "CONNECT b HTTP/1.1\r\nHost: b\r\n\r\n", `400 malformed message: target "b", which is no host and port`},
	{"3.2.3", "CONNECT to a path", "CONNECT /b HTTP/1.1\r\nHost: b\r\n\r\n", `400 malformed message: target "/b", which is no host and port`},
	{"3.2.3", "CONNECT to a URL", "CONNECT http://b:80 HTTP/1.1\r\nHost: b\r\n\r\n", `400 malformed message: target "http://b:80", which is no host and port`},
	{"3.2.3", "CONNECT with a user", "CONNECT u@b:80 HTTP/1.1\r\nHost: b\r\n\r\n", `400 malformed message: target "u@b:80", which is no host and port`},
	{"3.2.3", "an authority for others", "GET b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", "GET b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"}, // a URL of the scheme b, which the handler refuses
	{"3.2.4", "the server itself", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},

	{"3.2", "no Host", "GET / HTTP/1.1\r\n\r\n", "400 malformed message: no Host"},
	{"3.2", "no Host beside a URL", "GET http://a/ HTTP/1.1\r\n\r\n", "400 malformed message: no Host"},
	{"3.2", "no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: \r\n" + closes + "\r\n"},
	{"3.2", "an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHost: \r\n\r\n"},
	{"3.2", "two of Host", "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", "400 malformed message: more than one Host"},
	{"3.2", "two of Host alike", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400 malformed message: more than one Host"},
	{"3.2", "two of Host in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "400 malformed message: more than one Host"},
	{"3.2", "a Host with a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", `400 malformed message: Host "a b"`},
	{"3.2", "a Host with a slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", `400 malformed message: Host "a/b"`},
	{"3.2", "a Host that is malformed, beside a URL", "GET http://a/ HTTP/1.1\r\nHost: a/b\r\n\r\n", `400 malformed message: Host "a/b"`},

	{"5", "a field without a colon", get + "X\r\n\r\n", "400 malformed message: a field without a colon"},
	{"5", "a field without a name", get + ": x\r\n\r\n", `400 malformed message: field name ""`},
	{"5", "blanks around a value", get + "X:\t y z \t\r\nY:\r\n\r\n", get + "X: y z\r\nY: \r\n\r\n"},
	{"5.1", "a blank before the colon", get + "X : y\r\n\r\n", `400 malformed message: field name "X "`},
	{"5.1", "a tab before the colon", get + "X\t: y\r\n\r\n", `400 malformed message: field name "X\t"`},
	{"5.1", "a blank in a name", get + "X Y: z\r\n\r\n", `400 malformed message: field name "X Y"`},
	{"9110 5.1", "a name that is no token", get + "X(: y\r\n\r\n", `400 malformed message: field name "X("`},
	{"9110 5.1", "NUL in a name", get + "X\x00: y\r\n\r\n", `400 malformed message: field name "X\x00"`},
	{"9110 5.1", "8 bits in a name", get + "X\xf6: y\r\n\r\n", `400 malformed message: field name "X\xf6"`},
	{"9110 5.1", "names in any case, with what stands in a token", get + "x-FOO: y\r\nx_foo: z\r\n\r\n", get + "X-Foo: y\r\nX_foo: z\r\n\r\n"},
	{"9110 5.3", "lines of one name keep their order", get + "X: 1\r\nY: 2\r\nx: 3\r\nX:\r\nX: 1\r\n\r\n", get + "X: 1\r\nX: 3\r\nX: \r\nX: 1\r\nY: 2\r\n\r\n"},
	{"9110 5.4", "as many fields as are allowed", get + strings.Repeat("X:y\r\n", 999) + "\r\n", get + strings.Repeat("X: y\r\n", 999) + "\r\n"},
	{"9110 5.4", "more fields", get + strings.Repeat("X:y\r\n", 1000) + "\r\n", "431 a header that is too large"},
	{"9110 5.4", "as long a head as is allowed", get + "X: " + strings.Repeat("y", much-len(get+"X: \r\n\r\n")) + "\r\n\r\n", get + "X: " + strings.Repeat("y", much-len(get+"X: \r\n\r\n")) + "\r\n\r\n"},
	{"9110 5.4", "a longer one", get + "X: " + strings.Repeat("y", much-len(get+"X: \r\n\r\n")+1) + "\r\n\r\n", "431 a header that is too large"},
	{"9110 5.4", "a longer one that is malformed where it is too long", get + "X: " + strings.Repeat("y", much-len(get+"X: \r\n")) + "\r\n\n", "431 a header that is too large"},
	{"9110 5.4", "a line that never ends", "GET /" + strings.Repeat("x", 2*much), "431 a header that is too large"},
	{"9110 5.5", "NUL in a value", get + "X: a\x00\r\n\r\n", `400 malformed message: value of field "X" with a control character`},
	{"9110 5.5", "another control in a value", get + "X: \x0by\r\n\r\n", `400 malformed message: value of field "X" with a control character`},
	{"9110 5.5", "DEL in a value", get + "X: a\x7f\r\n\r\n", `400 malformed message: value of field "X" with a control character`},
	{"9110 5.5", "8 bits in a value", get + "X: \xff\u212a\r\n\r\n", get + "X: \xff\u212a\r\n\r\n"},
	{"5.2", "a folded line", get + "X: y\r\n z\r\n\r\n", "400 malformed message: a folded line"},
	{"5.2", "a line folded by a tab", get + "X: y\r\n\tContent-Length: 5\r\n\r\n", "400 malformed message: a folded line"},
	{"5.2", "a folded line of blanks", get + "X: y\r\n  \r\n\r\n", "400 malformed message: a folded line"},

	{"6.3", "no length is no content", post + "\r\nhello", post + "\r\n" + next + "hello"},
	{"6.2", "content of a length", post + "Content-Length: 5\r\n\r\nhello" + get, post + "Content-Length: 5\r\n\r\nhello" + next + get},
	{"6.2", "content of length 0", post + "Content-Length: 0\r\n\r\nhello", post + "Content-Length: 0\r\n\r\n" + next + "hello"},
	{"9110 9.3.1", "content of GET", get + "Content-Length: 5\r\n\r\nhello", get + "Content-Length: 5\r\n\r\nhello"},
	{"9110 8.6", "zeros before a length", post + "Content-Length: 0005\r\n\r\nhello", post + "Content-Length: 5\r\n\r\nhello"},
	{"9110 8.6", "a length with a sign", post + "Content-Length: +5\r\n\r\nhello", `400 malformed message: Content-Length "+5"`},
	{"9110 8.6", "a length below 0", post + "Content-Length: -0\r\n\r\nhello", `400 malformed message: Content-Length "-0"`},
	{"9110 8.6", "an empty length", post + "Content-Length:\r\n\r\nhello", `400 malformed message: Content-Length ""`},
	{"9110 8.6", "a length in other digits", post + "Content-Length: 0x5\r\n\r\nhello", `400 malformed message: Content-Length "0x5"`},
	{"9110 8.6", "a length with an underscore", post + "Content-Length: 1_0\r\n\r\nhello", `400 malformed message: Content-Length "1_0"`},
	{"9110 8.6", "a fraction", post + "Content-Length: 5.0\r\n\r\nhello", `400 malformed message: Content-Length "5.0"`},
	{"9110 8.6", "more than can be counted", post + "Content-Length: 9223372036854775808\r\n\r\nhello", `400 malformed message: Content-Length "9223372036854775808"`},
	{"9110 8.6", "2^64 and 5", post + "Content-Length: 18446744073709551621\r\n\r\nhello", `400 malformed message: Content-Length "18446744073709551621"`},
	{"6.3", "a list of lengths", post + "Content-Length: 5, 5\r\n\r\nhello", `400 malformed message: Content-Length "5, 5"`}, // which may be taken for one
	{"6.3", "a length and a comma", post + "Content-Length: 5,\r\n\r\nhello", `400 malformed message: Content-Length "5,"`},
	{"6.3", "two lengths", post + "Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello", `400 malformed message: Content-Length "0"`},
	{"6.3", "a length twice", post + "Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello", post + "Content-Length: 5\r\n\r\nhello"},
	{"6.3", "a length twice, written differently", post + "Content-Length: 5\r\nContent-Length: 05\r\n\r\nhello", `400 malformed message: Content-Length "05"`},
	{"6.3", "what looks like a length to CGI", post + "Content_Length: 5\r\n\r\nhello", post + "Content_length: 5\r\n\r\n" + next + "hello"},
	{"8", "content cut short", post + "Content-Length: 6\r\n\r\nhello", "unexpected EOF"},
	{"8", "a head cut short", get, "unexpected EOF"},
	{"8", "a head cut short behind a CR", get + "\r", "unexpected EOF"},
	{"9.5", "no request", "", "EOF"},
	{"9.5", "no request but an empty line", "\r\n", "EOF"},
	{"8", "half an empty line", "\r", "unexpected EOF"},

	{"6.1", "chunks", hello, hello},
	{"6.1", "chunks in capitals", post + "TRANSFER-ENCODING: CHUNKED\r\n\r\n5\r\nhello" + last, hello},
	{"6.1", "a length beside chunks", post + chunked + "Content-Length: 5\r\n\r\n5\r\nhello" + last, "400 malformed message: both Content-Length and Transfer-Encoding"},
	{"6.1", "chunks beside a length", post + "Content-Length: 5\r\n" + chunked + "\r\n5\r\nhello" + last, "400 malformed message: both Content-Length and Transfer-Encoding"},
	{"6.1", "an unknown coding beside a length", post + "Content-Length: 5\r\nTransfer-Encoding: x\r\n\r\nhello", "400 malformed message: both Content-Length and Transfer-Encoding"},
	{"6.1", "chunks in HTTP/1.0", "POST / HTTP/1.0\r\n" + chunked + "\r\n5\r\nhello" + last, "400 malformed message: Transfer-Encoding in HTTP/1.0"},
	{"6.1", "another coding before", post + "Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello" + last, "501 a Transfer-Encoding other than chunked"},
	{"6.1", "another coding before, in a line of its own", post + "Transfer-Encoding: gzip\r\n" + chunked + "\r\n5\r\nhello" + last, "501 a Transfer-Encoding other than chunked"},
	{"6.1", "chunked and a comma", post + "Transfer-Encoding: chunked,\r\n\r\n5\r\nhello" + last, "501 a Transfer-Encoding other than chunked"},
	{"6.1", "a comma and chunked", post + "Transfer-Encoding: , chunked\r\n\r\n5\r\nhello" + last, "501 a Transfer-Encoding other than chunked"},
	{"6.1", "chunked and an empty line", post + chunked + "Transfer-Encoding:\r\n\r\n5\r\nhello" + last, "501 a Transfer-Encoding other than chunked"},
	{"6.1", "an empty line and chunked", post + "Transfer-Encoding:\r\n" + chunked + "\r\n5\r\nhello" + last, "501 a Transfer-Encoding other than chunked"},
	{"6.1", "chunked twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello" + last, "400 malformed message: a Transfer-Encoding that does not end in chunked"},
	{"6.1", "chunked twice, in two lines", post + chunked + chunked + "\r\n5\r\nhello" + last, "400 malformed message: a Transfer-Encoding that does not end in chunked"},
	{"6.3", "a coding behind", post + "Transfer-Encoding: chunked, gzip\r\n\r\n5\r\nhello" + last, "400 malformed message: a Transfer-Encoding that does not end in chunked"},
	{"6.3", "a coding behind, in a line of its own", post + chunked + "Transfer-Encoding: x\r\n\r\n5\r\nhello" + last, "400 malformed message: a Transfer-Encoding that does not end in chunked"},
	{"6.3", "no chunks", post + "Transfer-Encoding: identity\r\n\r\nhello", "400 malformed message: a Transfer-Encoding that does not end in chunked"},
	{"6.3", "no coding", post + "Transfer-Encoding:\r\n\r\nhello", "400 malformed message: a Transfer-Encoding that does not end in chunked"},
	{"7", "a coding with a parameter", post + "Transfer-Encoding: chunked;q=1\r\n\r\nhello", "400 malformed message: a Transfer-Encoding that does not end in chunked"},
	{"7", "a coding in quotes", post + "Transfer-Encoding: \"chunked\"\r\n\r\nhello", "400 malformed message: a Transfer-Encoding that does not end in chunked"},
	{"7", "a coding in other letters", post + "Transfer-Encoding: chun\u212aed\r\n\r\nhello", "400 malformed message: a Transfer-Encoding that does not end in chunked"},
	{"6.1", "a control before a coding", post + "Transfer-Encoding: \x0bchunked\r\n\r\n5\r\nhello" + last, `400 malformed message: value of field "Transfer-Encoding" with a control character`},

	{"9.3", "close", get + "connection: x, Close\r\n\r\n", get + closes + "\r\n"},
	{"9.3", "keep-alive", get + "Connection: keep-alive\r\n\r\n", get + "\r\n"},
	{"9.3", "a word that holds close", get + "Connection: closed, x-close\r\n\r\n", get + "\r\n"},
	{"9.3", "close goes before keep-alive", get + "Connection: keep-alive\r\nConnection: close\r\n\r\n", get + closes + "\r\n"},
	{"9.3", "HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", get + closes + "\r\n"},
	{"9.3", "HTTP/1.0 with keep-alive", "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", get + "\r\n"},
	{"9.3.2", "requests in one piece", get + "\r\n" + get + "\r\n", get + "\r\n" + next + get + "\r\n"},
}

func TestRequestRules(t *testing.T) {
	for _, r := range requestRules {
		for cut, arrive := range cuts {
			t.Run(r.section+" "+r.name+"/"+cut, func(t *testing.T) {
				if diff := cmp.Diff(r.out, sentRequest(t, arrive([]byte(r.in)))); diff != "" {
					t.Errorf("%.500q (-want +got):\n%s", r.in, diff)
				}
			})
		}
	}
}

// sentRequest returns the request that src begins with as it is sent on, or why it is
// not.
func sentRequest(t *testing.T, src io.Reader) string {
	t.Helper()
	m, err := readRequest(src, 4<<10)
	if err != nil {
		if status := http1.StatusOf(err); status > 0 {
			return fmt.Sprint(status, " ", err)
		}
		return err.Error()
	}
	sent, err := m.appendRest(m.appendRequestLine(nil), false)
	if err != nil {
		t.Fatal(err)
	}
	if m.rest != "" {
		return string(sent) + next + m.rest
	}
	return string(sent)
}
