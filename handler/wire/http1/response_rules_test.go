package http1_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/http1"
)

const ok = "HTTP/1.1 200 OK\r\n"

// responseRules are for responses to GET, unless a method stands before a bar.
var responseRules = []rule{
	{"2.2", "a status line in a bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "malformed message: a line that ends in a bare LF"},
	{"2.2", "a field line in a bare LF", ok + "Content-Length: 0\n\r\n", "malformed message: a line that ends in a bare LF"},
	{"2.2", "a bare CR in the status line", "HTTP/1.1 200 OK\rX: y\r\n\r\n", "malformed message: a bare CR"},
	{"2.2", "an empty line before", "\r\n" + ok + "Content-Length: 0\r\n\r\n", `malformed message: status line ""`},
	{"2.3", "a higher minor version", "HTTP/1.2 200 OK\r\n\r\n", `malformed message: status line "HTTP/1.2 200 OK"`},
	{"2.3", "another major version", "HTTP/2.0 200 OK\r\n\r\n", `malformed message: status line "HTTP/2.0 200 OK"`},
	{"2.3", "a version in small letters", "http/1.1 200 OK\r\n\r\n", `malformed message: status line "http/1.1 200 OK"`},
	{"2.3", "a version with more digits", "HTTP/1.01 200 OK\r\n\r\n", `malformed message: status line "HTTP/1.01 200 OK"`},
	{"2.3", "another protocol, whose server waits", "220 x ESMTP\r\n", `malformed message: status line "220 x ESMTP"`},
	{"2.3", "ICY", "ICY 200 OK\r\n\r\n", `malformed message: status line "ICY 200 OK"`},
	{"4", "two blanks before the status", "HTTP/1.1  200 OK\r\n\r\n", `malformed message: status line "HTTP/1.1  200 OK"`},
	{"4", "a tab before the status", "HTTP/1.1\t200 OK\r\n\r\n", `malformed message: status line "HTTP/1.1\t200 OK"`},
	{"4", "no status", "HTTP/1.1\r\n\r\n", `malformed message: status line "HTTP/1.1"`},
	{"4", "a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", `malformed message: status line "HTTP/1.1 20 OK"`},
	{"4", "a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", `malformed message: status line "HTTP/1.1 2000 OK"`},
	{"4", "a status of letters", "HTTP/1.1 2O0 OK\r\n\r\n", `malformed message: status line "HTTP/1.1 2O0 OK"`},
	{"4", "a status with a sign", "HTTP/1.1 +20 OK\r\n\r\n", `malformed message: status line "HTTP/1.1 +20 OK"`},
	{"9110 15", "a status below 100", "HTTP/1.1 099 OK\r\n\r\n", `malformed message: status line "HTTP/1.1 099 OK"`},
	{"9110 15", "a status of no class", "HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n"},
	{"4", "no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"},
	{"4", "no blank before no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"}, // as many servers have it
	{"4", "a reason in 8 bits, with blanks", "HTTP/1.1 200 \t\xf6 k \r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 \t\xf6 k \r\nContent-Length: 0\r\n\r\n"},
	{"4", "NUL in a reason", "HTTP/1.1 200 O\x00K\r\nContent-Length: 0\r\n\r\n", `malformed message: status line "HTTP/1.1 200 O\x00K"`},

	{"5.1", "a blank before the colon", ok + "X : y\r\nContent-Length: 0\r\n\r\n", `malformed message: field name "X "`},
	{"5.2", "a folded line", ok + "X: y\r\n z\r\nContent-Length: 0\r\n\r\n", "malformed message: a folded line"},
	{"9110 5.1", "a blank in a name", ok + "X Y: z\r\nContent-Length: 0\r\n\r\n", `malformed message: field name "X Y"`},
	{"9110 5.4", "more fields than are allowed", ok + strings.Repeat("X:y\r\n", 1001) + "\r\n", "a header that is too large"},
	{"9110 5.4", "a head that is too long", ok + "X: " + strings.Repeat("y", much) + "\r\n\r\n", "a header that is too large"},
	{"9110 5.5", "NUL in a value", ok + "X: \x00\r\nContent-Length: 0\r\n\r\n", `malformed message: value of field "X" with a control character`},

	{"6.3", "an interim response", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + next + ok},
	{"6.3", "an interim response with a length", "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 100 Continue\r\n\r\n" + next + "hello"},
	{"6.3", "an interim response with chunks", "HTTP/1.1 100 Continue\r\n" + chunked + "\r\n0\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" + next + "0\r\n\r\n"},
	{"6.3", "another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\n\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + next + "\n\n"},
	{"6.3", "204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 204 No Content\r\n\r\n" + next + "hello"},
	{"6.3", "204 with chunks", "HTTP/1.1 204 No Content\r\n" + chunked + "\r\n0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n" + next + "0\r\n\r\n"},
	{"6.3", "304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" + ok, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" + next + ok},
	{"6.3", "304 without a length", "HTTP/1.1 304 Not Modified\r\n\r\n" + ok, "HTTP/1.1 304 Not Modified\r\n\r\n" + next + ok},
	{"6.3", "a length in answer to HEAD", "HEAD|" + ok + "Content-Length: 5\r\n\r\n" + ok, ok + "Content-Length: 5\r\n\r\n" + next + ok},
	{"6.3", "chunks in answer to HEAD", "HEAD|" + ok + chunked + "\r\n" + ok, ok + "\r\n" + next + ok},
	{"6.3", "neither in answer to HEAD", "HEAD|" + ok + "\r\n" + ok, ok + "\r\n" + next + ok},
	{"6.3", "a tunnel", "CONNECT|" + ok + "Content-Length: 5\r\n\r\nhello", ok + "\r\n" + next + "hello"},
	{"6.3", "no tunnel", "CONNECT|HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nhello"},
	{"6.3", "until the connection ends", ok + "\r\nany\nthing\r", ok + closes + chunked + "\r\na\r\nany\nthing\r" + last},
	{"6.3", "until the connection ends, though it is to be kept", ok + "Connection: keep-alive\r\n\r\nx", ok + closes + chunked + "\r\n1\r\nx" + last},
	{"6.3", "nothing until the connection ends", ok + "\r\n", ok + closes + chunked + "\r\n0\r\n\r\n"},
	{"6.3", "until the connection ends in HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nx", ok + closes + chunked + "\r\n1\r\nx" + last},
	{"6.2", "content of a length", ok + "Content-Length: 5\r\n\r\nhello" + ok, ok + "Content-Length: 5\r\n\r\nhello" + next + ok},
	{"6.2", "content like a malformed head", ok + "Content-Length: 8\r\n\r\nX\n Y\r \n\n", ok + "Content-Length: 8\r\n\r\nX\n Y\r \n\n"},
	{"6.3", "a list of lengths", ok + "Content-Length: 5, 5\r\n\r\nhello", `malformed message: Content-Length "5, 5"`},
	{"6.3", "two lengths", ok + "Content-Length: 5\r\nContent-Length: 4\r\n\r\nhello", `malformed message: Content-Length "4"`},
	{"6.3", "two lengths in answer to HEAD", "HEAD|" + ok + "Content-Length: 5\r\nContent-Length: 4\r\n\r\n", `malformed message: Content-Length "4"`},
	{"6.3", "a length twice", ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", ok + "Content-Length: 5\r\n\r\nhello"},
	{"9110 8.6", "an empty length", ok + "Content-Length: \r\n\r\nhello", `malformed message: Content-Length ""`},
	{"9110 8.6", "a length with a sign", "HTTP/1.1 204 No Content\r\nContent-Length: +0\r\n\r\n", `malformed message: Content-Length "+0"`},
	{"6.1", "chunks", ok + chunked + "\r\n5\r\nhello" + last + ok, ok + chunked + "\r\n5\r\nhello" + last + next + ok},
	{"6.1", "both lengths", ok + chunked + "Content-Length: 5\r\n\r\n5\r\nhello" + last, "malformed message: both Content-Length and Transfer-Encoding"},
	{"6.1", "both lengths in answer to HEAD", "HEAD|" + ok + chunked + "Content-Length: 5\r\n\r\n", "malformed message: both Content-Length and Transfer-Encoding"},
	{"6.1", "chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\n" + chunked + "\r\n5\r\nhello" + last, "malformed message: Transfer-Encoding in HTTP/1.0"},
	{"7.4", "another coding", ok + "Transfer-Encoding: gzip\r\n\r\nx", "malformed message: a Transfer-Encoding other than chunked"},
	{"7.4", "another coding before", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx" + last, "malformed message: a Transfer-Encoding other than chunked"},
	{"7.4", "another coding in answer to HEAD", "HEAD|" + ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", "malformed message: a Transfer-Encoding other than chunked"},
	{"6.1", "chunked twice", ok + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "malformed message: a Transfer-Encoding other than chunked"},
	{"6.1", "chunked and a comma", ok + "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", "malformed message: a Transfer-Encoding other than chunked"},
	{"6.1", "no coding", ok + "Transfer-Encoding:\r\n\r\n", "malformed message: a Transfer-Encoding other than chunked"},
	{"8", "content cut short", ok + "Content-Length: 6\r\n\r\nhello", "unexpected EOF"},
	{"8", "a head cut short", ok + "Content-Length: 6\r\n", "unexpected EOF"},
	{"8", "no response", "", "EOF"},

	{"9.3", "close", ok + "Connection: close\r\nContent-Length: 0\r\n\r\n", ok + closes + "Content-Length: 0\r\n\r\n"},
	{"9.3", "HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", ok + closes + "Content-Length: 0\r\n\r\n"},
	{"9.3", "HTTP/1.0 with keep-alive", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: x, Keep-Alive\r\n\r\n", ok + "Content-Length: 0\r\n\r\n"},
}

func TestResponseRules(t *testing.T) {
	for _, r := range responseRules {
		for cut, arrive := range cuts {
			t.Run(r.section+" "+r.name+"/"+cut, func(t *testing.T) {
				method, in, found := strings.Cut(r.in, "|")
				if !found {
					method, in = "GET", r.in
				}
				if diff := cmp.Diff(r.out, sentResponse(t, arrive([]byte(in)), method)); diff != "" {
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
		return string(sent) + next + m.rest
	}
	return string(sent)
}

// chunkRules are of content in chunks, and what comes of it: again in one chunk, and
// what follows.
var chunkRules = []rule{
	{"7.1", "none", "0\r\n\r\n", "0\r\n\r\n"},
	{"7.1", "some", "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", "5\r\nhello" + last},
	{"7.1", "content like chunks", "a\r\n0\r\n\r\n0\r\n\r\n" + last, "a\r\n0\r\n\r\n0\r\n\r\n" + last},
	{"7.1", "what follows", "5\r\nhello" + last + get, "5\r\nhello" + last + next + get},
	{"7.1", "sizes in any case", "0000000A\r\n0123456789\r\n0a\r\n0123456789\r\n000\r\n\r\n", "14\r\n01234567890123456789" + last},
	{"7.1", "a size of 16 digits", "0000000000000005\r\nhello" + last, "5\r\nhello" + last},
	{"7.1", "a size of more", "00000000000000005\r\nhello" + last, `malformed message: chunk size "00000000000000005"`},
	{"7.1", "a size that cannot be counted", "8000000000000000\r\nhello" + last, `malformed message: chunk size "8000000000000000"`},
	{"7.1", "2^64 and 5", "10000000000000005\r\nhello" + last, `malformed message: chunk size "10000000000000005"`},
	{"7.1", "as large a size as can be", "7fffffffffffffff\r\nhello" + last, "unexpected EOF"},
	{"7.1", "2^32 and 5", "100000005\r\nhello" + last, "unexpected EOF"},
	{"7.1", "a size with a prefix", "0x5\r\nhello" + last, `malformed message: chunk size "0x5"`},
	{"7.1", "a size with a sign", "+5\r\nhello" + last, `malformed message: chunk size "+5"`},
	{"7.1", "a last size with a sign", "5\r\nhello\r\n-0\r\n\r\n", `malformed message: chunk size "-0"`},
	{"7.1", "a size with an underscore", "5_0\r\nhello" + last, `malformed message: chunk size "5_0"`},
	{"7.1", "no size", "\r\nhello" + last, `malformed message: chunk size ""`},
	{"7.1", "no size but an extension", ";a\r\nhello" + last, `malformed message: chunk size ""`},
	{"7.1", "a size that is none", "g\r\nhello" + last, `malformed message: chunk size "g"`},
	{"7.1", "a blank before a size", " 5\r\nhello" + last, `malformed message: chunk size " 5"`},
	{"7.1", "a blank behind a size", "5 \r\nhello" + last, `malformed message: chunk size "5 "`},
	{"7.1", "a tab behind a size", "5\t\r\nhello" + last, `malformed message: chunk size "5\t"`},
	{"7.1", "a size in two pieces", "5 5\r\nhello" + last, `malformed message: chunk size "5 5"`},
	{"7.1", "NUL behind a size", "5\x00\r\nhello" + last, `malformed message: chunk size "5\x00"`},
	{"7.1", "a size in a bare LF", "5\nhello" + last, "malformed message: a line that ends in a bare LF"},
	{"7.1", "a size in a bare CR", "5\rhello" + last, "malformed message: a bare CR"},
	{"7.1", "a chunk in a bare LF", "5\r\nhello\n0\r\n\r\n", "malformed message: a line that ends in a bare LF"},
	{"7.1", "a chunk in a bare CR", "5\r\nhello\r0\r\n\r\n", "malformed message: a bare CR"},
	{"7.1", "a chunk in two bare CR", "5\r\nhello\r\r\n0\r\n\r\n", "malformed message: a bare CR"},
	{"7.1", "a chunk without an end", "5\r\nhello0\r\n\r\n", "malformed message: a chunk that is longer than it says"},
	{"7.1", "a chunk that is longer, and a sender that waits", "5\r\nhello ", "malformed message: a chunk that is longer than it says"},
	{"7.1", "a chunk that is shorter", "7\r\nhello\r\n0\r\n\r\n", "malformed message: a chunk that is longer than it says"},
	{"7.1", "a bare LF behind the last chunk", "5\r\nhello\r\n0\n\r\n", "malformed message: a line that ends in a bare LF"},
	{"7.1", "a bare LF at the end", "5\r\nhello\r\n0\r\n\n", "malformed message: a line that ends in a bare LF"},
	{"7.1.1", "extensions", "5;a;b=c;d=\"e;f\xff\"\r\nhello\r\n0;g\r\n\r\n", "5\r\nhello" + last},
	{"7.1.1", "an empty extension", "5;\r\nhello" + last, "5\r\nhello" + last},
	{"7.1.1", "blanks around extensions", "5 \t; a = b \r\nhello" + last, "5\r\nhello" + last},
	{"7.1.1", "NUL in an extension", "5;a=\x00\r\nhello" + last, `malformed message: chunk extension "a=\x00" with a control character`},
	{"7.1.1", "a bare CR in an extension", "5;a\rb\r\nhello" + last, "malformed message: a bare CR"},
	{"7.1.1", "a bare LF in an extension", "5;a\nhello" + last, "malformed message: a line that ends in a bare LF"},
	{"7.1.1", "a line in quotes", "5;a=\"\r\n\"\r\nhello" + last, "malformed message: a chunk that is longer than it says"},
	{"7.1.1", "as long a line as is allowed", "5;" + strings.Repeat("a", 4092) + "\r\nhello" + last, "5\r\nhello" + last},
	{"7.1.1", "a longer one", "5;" + strings.Repeat("a", 4093) + "\r\nhello" + last, "malformed message: a chunk's line without an end"},
	{"7.1.1", "a line that never ends", "5;" + strings.Repeat("a", 9000), "malformed message: a chunk's line without an end"},
	{"7.1.1", "chunks of one byte", strings.Repeat("1\r\nx\r\n", 20000) + "0\r\n\r\n", "4e20\r\n" + strings.Repeat("x", 20000) + last},
	{"7.1.1", "chunks of one byte and of many extensions", strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\nx\r\n", 17) + "0\r\n\r\n", "malformed message: chunks with more in their lines than in themselves"},
	{"7.1.2", "a trailer", "5\r\nhello\r\n0\r\nX: y \r\nx-z:\r\nX: z\r\n\r\n", "5\r\nhello\r\n0\r\nX: y\r\nX: z\r\nX-Z: \r\n\r\n"},
	{"7.1.2", "a trailer, and what follows", "0\r\nX: y\r\n\r\n" + get, "0\r\nX: y\r\n\r\n" + next + get},
	{"9110 6.5.1", "a trailer says nothing of where a message ends", "5\r\nhello\r\n0\r\nContent-Length: 50\r\nTransfer-Encoding: x\r\n\r\n" + get, "5\r\nhello\r\n0\r\nContent-Length: 50\r\nTransfer-Encoding: x\r\n\r\n" + next + get}, // the handler passes neither
	{"7.1.2", "a trailer line in a bare LF", "0\r\nX: y\nZ: y\r\n\r\n", "malformed message: a line that ends in a bare LF"},
	{"7.1.2", "a bare CR in a trailer", "0\r\nX: y\rZ: y\r\n\r\n", "malformed message: a bare CR"},
	{"7.1.2", "a folded trailer", "0\r\nX: y\r\n z\r\n\r\n", "malformed message: a folded line"},
	{"7.1.2", "a folded first line of a trailer", "0\r\n X: y\r\n\r\n", "malformed message: a folded line"},
	{"7.1.2", "a trailer with a blank before the colon", "0\r\nX : y\r\n\r\n", `malformed message: field name "X "`},
	{"7.1.2", "a trailer without a name", "0\r\n: y\r\n\r\n", `malformed message: field name ""`},
	{"7.1.2", "a trailer without a colon", "0\r\nX\r\n\r\n", "malformed message: a field without a colon"},
	{"7.1.2", "a request for a trailer", "0\r\nGET http://a/ HTTP/1.1\r\n\r\n", `malformed message: field name "GET http"`},
	{"7.1.2", "NUL in a trailer", "0\r\nX: \x00\r\n\r\n", `malformed message: value of field "X" with a control character`},
	{"7.1.2", "a trailer that is too long", "0\r\nX: " + strings.Repeat("y", 64<<10) + "\r\n\r\n", "a header that is too large"},
	{"7.1.2", "a trailer of too many lines", "0\r\n" + strings.Repeat("X:\r\n", 2000) + "\r\n", "a header that is too large"},
	{"7.1.2", "a trailer that never ends", "0\r\n" + strings.Repeat("y", 80<<10), "a header that is too large"},
	{"8", "no chunk", "", "unexpected EOF"},
	{"8", "a size cut short", "5", "unexpected EOF"},
	{"8", "a chunk cut short", "5\r\nhell", "unexpected EOF"},
	{"8", "a chunk without its end", "5\r\nhello", "unexpected EOF"},
	{"8", "a chunk without half its end", "5\r\nhello\r", "unexpected EOF"},
	{"8", "no last chunk", "5\r\nhello\r\n", "unexpected EOF"},
	{"8", "no end behind the last chunk", "5\r\nhello\r\n0\r\n", "unexpected EOF"},
	{"8", "a trailer cut short", "0\r\nX: y\r\n", "unexpected EOF"},
}

func TestChunkRules(t *testing.T) {
	for _, r := range chunkRules {
		for cut, arrive := range cuts {
			t.Run(r.section+" "+r.name+"/"+cut, func(t *testing.T) {
				wantRequest, wantResponse := r.out, r.out
				if r.out[0] < 'a' || strings.HasPrefix(r.out, "a\r\n") {
					wantRequest, wantResponse = post+chunked+"\r\n"+r.out, ok+chunked+"\r\n"+r.out
				} else if strings.HasPrefix(r.out, "malformed") {
					wantRequest = "400 " + r.out
				} else if r.out == http1.ErrTooLarge.Error() {
					wantRequest = "431 " + r.out
				}
				if diff := cmp.Diff(wantRequest, sentRequest(t, arrive([]byte(post+chunked+"\r\n"+r.in)))); diff != "" {
					t.Errorf("request, %.500q (-want +got):\n%s", r.in, diff)
				}
				if diff := cmp.Diff(wantResponse, sentResponse(t, arrive([]byte(ok+chunked+"\r\n"+r.in)), "GET")); diff != "" {
					t.Errorf("response, %.500q (-want +got):\n%s", r.in, diff)
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
