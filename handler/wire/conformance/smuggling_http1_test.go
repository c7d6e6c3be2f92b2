package conformance

import (
	"fmt"
	"slices"
)

const (
	get     = "GET {P} HTTP/1.1\r\nHost: a\r\n"
	post    = "POST {P} HTTP/1.1\r\nHost: a\r\n"
	chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
	last    = "\r\n0\r\n\r\n" // ends a chunk and the body
)

var http1Payloads = slices.Concat(codings(), lengths(), otherLengths, chunkSizes(), chunkEnds, trailers(), requestLines(), lineEnds, hosts(), fieldLines(), switches, expectations())

// codings are of requests with a length and something that may be a coding. Who
// takes it for one ends the first at the last chunk, and who does not the second
// at its length.
func codings() (all []payload) {
	for _, c := range []struct{ name, lines string }{
		{"plain", "Transfer-Encoding: chunked"},
		{"blank before colon", "Transfer-Encoding : chunked"},
		{"tab before colon", "Transfer-Encoding\t: chunked"},
		{"xchunked", "Transfer-Encoding: xchunked"},
		{"tab before value", "Transfer-Encoding:\tchunked"},
		{"vertical tab before value", "Transfer-Encoding: \x0bchunked"},
		{"form feed before value", "Transfer-Encoding:\x0cchunked"},
		{"vertical tab behind value", "Transfer-Encoding: chunked\x0b"},
		{"leading blank", "X: y\r\n Transfer-Encoding: chunked"},
		{"leading tab", "X: y\r\n\tTransfer-Encoding: chunked"},
		{"bare LF before", "X: y\nTransfer-Encoding: chunked"},
		{"bare CR before", "X: y\rTransfer-Encoding: chunked"},
		{"CR CR LF before", "X: y\r\r\nTransfer-Encoding: chunked"},
		{"folded value", "Transfer-Encoding:\r\n chunked"},
		{"folded by LF", "Transfer-Encoding:\n chunked"},
		{"folded name", "Transfer-Encoding\r\n : chunked"},
		{"then another", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x"},
		{"another first", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked"},
		{"then identity", "Transfer-Encoding: chunked, identity"},
		{"identity first", "Transfer-Encoding: identity, chunked"},
		{"identity", "Transfer-Encoding: identity"},
		{"double quotes", `Transfer-Encoding: "chunked"`},
		{"single quotes", "Transfer-Encoding: 'chunked'"},
		{"parameter", "Transfer-Encoding: chunked;q=1"},
		{"mixed case", "tRANSFER-eNCODING: cHUNKED"},
		{"prefix", "Transfer-Encoding: chunk"},
		{"empty first", "Transfer-Encoding: ,chunked"},
		{"empty last", "Transfer-Encoding: chunked,"},
		{"twice in one", "Transfer-Encoding: chunked, chunked"},
		{"twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"},
		{"gzip first", "Transfer-Encoding: gzip, chunked"},
		{"gzip last", "Transfer-Encoding: chunked, gzip"},
		{"gzip alone", "Transfer-Encoding: gzip"},
		{"empty", "Transfer-Encoding:"},
		{"blank in name", "Transfer Encoding: chunked"},
		{"no colon", "Transfer-Encoding chunked"},
		{"NUL in name", "Transfer-Encoding\x00: chunked"},
		{"NUL first", "\x00Transfer-Encoding: chunked"},
		{"NUL behind value", "Transfer-Encoding: chunked\x00"},
		{"NUL in value", "Transfer-Encoding: chun\x00ked"},
		{"long s", "Tran\u017ffer-Encoding: chunked"},
		{"kelvin sign", "Transfer-Encoding: chun\u212aed"},
		{"no-break space before", "Transfer-Encoding: \xa0chunked"},
		{"no-break space behind", "Transfer-Encoding: chunked\xa0"},
		{"next line", "Transfer-Encoding: \x85chunked"},
		{"named in Connection", "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked"},
		{"length named in Connection", "Connection: Content-Length\r\nTransfer-Encoding: chunked"},
		{"bracket and LF", "X: [\nTransfer-Encoding: chunked"},
		{"semicolon", "Transfer-Encoding; chunked"},
		{"soft hyphen", "Transfer\xadEncoding: chunked"},
	} {
		all = append(all,
			payload{"CL.TE " + c.name, post + "Content-Length: {L+5}\r\n" + c.lines + "\r\n\r\n0\r\n\r\n{S}", refused, ""},
			payload{"TE.CL " + c.name, post + c.lines + "\r\nContent-Length: 4\r\n\r\n{X}\r\n{S}" + last, refused, ""})
	}
	return all
}

// lengths are of requests with more or less of a length.
func lengths() (all []payload) {
	for _, l := range []struct{ name, lines, want string }{
		{"twice, alike", "Content-Length: {L}\r\nContent-Length: {L}", relayed},
		{"twice, the second less", "Content-Length: {L}\r\nContent-Length: 0", refused},
		{"twice, the first less", "Content-Length: 0\r\nContent-Length: {L}", refused},
		{"list", "Content-Length: {L}, {L}", refused},
		{"list of others", "Content-Length: 0, {L}", refused},
		{"list with an empty one", "Content-Length: {L},", refused},
		{"plus", "Content-Length: +{L}", refused},
		{"minus", "Content-Length: -{L}", refused},
		{"minus zero", "Content-Length: -0", refused},
		{"hexadecimal", "Content-Length: 0x{X}", refused},
		{"fraction", "Content-Length: {L}.0", refused},
		{"exponent", "Content-Length: {L}e0", refused},
		{"underscore", "Content-Length: 1_0", refused},
		{"blank within", "Content-Length: 0 {L}", refused},
		{"semicolon", "Content-Length: {L};", refused},
		{"empty", "Content-Length:", refused},
		{"other digits", "Content-Length: \u0665", refused},
		{"leading zeros", "Content-Length: 000{L}", relayed},
		{"2^64 and more", "Content-Length: 18446744073709551664", refused},
		{"2^63", "Content-Length: 9223372036854775808", refused},
		{"NUL behind", "Content-Length: {L}\x00", refused},
		{"vertical tab before", "Content-Length: \x0b{L}", refused},
		{"vertical tab behind", "Content-Length: {L}\x0b", refused},
		{"folded", "Content-Length:\r\n {L}", refused},
		{"folded and more", "Content-Length: 0\r\n 0", refused},
		{"blank before colon", "Content-Length : {L}", refused},
		{"tab before colon", "Content-Length\t: {L}", refused},
		{"leading blank", "X: y\r\n Content-Length: {L}", refused},
		{"blank in name", "Content Length: {L}", refused},
		{"bare LF before", "X: y\nContent-Length: {L}", refused},
		{"bare CR before", "X: y\rContent-Length: {L}", refused},
	} {
		body := ""
		if l.want == relayed {
			body = "{S}"
		}
		all = append(all,
			payload{"length of POST " + l.name, post + l.lines + "\r\n\r\n{S}", l.want, body},
			payload{"length of GET " + l.name, get + l.lines + "\r\n\r\n{S}", l.want, body})
	}
	for _, method := range []string{"GET", "HEAD", "DELETE", "OPTIONS", "PUT", "PATCH", "QUERY"} {
		line := method + " {P} HTTP/1.1\r\nHost: a\r\n"
		all = append(all,
			payload{"content of " + method, line + "Content-Length: {L}\r\n\r\n{S}", relayed, "{S}"},
			payload{"chunks of " + method, line + "Transfer-Encoding: chunked\r\n\r\n{X}\r\n{S}" + last, relayed, "{S}"})
	}
	return all
}

var otherLengths = []payload{
	{"alias of the coding", post + "Content-Length: {L+5}\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n{S}", relayed, "0\r\n\r\n{S}"},
	{"alias of the length beside it", post + "Content-Length: {L+5}\r\nContent_Length: 5\r\n\r\n0\r\n\r\n{S}", relayed, "0\r\n\r\n{S}"},
	{"alias of the length alone", get + "Content_Length: 30\r\n\r\n", relayed, ""},
	{"length named in Connection", post + "Connection: Content-Length\r\nContent-Length: {L}\r\n\r\n{S}", relayed, "{S}"},
	{"coding named in Connection", post + "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n{X}\r\n{S}" + last, relayed, "{S}"},
	{"host named in Connection", get + "Connection: Host\r\n\r\n", relayed, ""},
	{"coding twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" + "\r\n\r\n0\r\n\r\n", refused, ""},
	{"coding identity", post + "Transfer-Encoding: identity\r\n\r\n{S}", refused, ""},
	{"coding that does not end in chunked", post + "Transfer-Encoding: chunked, gzip\r\n\r\n{S}", refused, ""},
	{"length in HTTP/1.0", "POST {P} HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: {L}\r\n\r\n{S}", relayed, "{S}"},
	{"coding in HTTP/1.0", "POST {P} HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{X}\r\n{S}" + last, refused, ""},
	{"coding and length in HTTP/1.0", "POST {P} HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{X}\r\n{S}" + last, refused, ""},
	{"requests in one piece", get + "\r\n{S}", bothPassed, ""},
	{"request behind content", post + "Content-Length: 5\r\n\r\nhello{S}", bothPassed, "hello"},
	{"empty line behind content", post + "Content-Length: 5\r\n\r\nhello\r\n{S}", bothPassed, "hello"},
}

func chunkSizes() (all []payload) {
	for _, size := range []string{
		"10000000000000005", "0x5", "0X5", "+5", "-5", " 5", "\t5", "5\x0b", "5\x00", "\x005", "5\x0c", "", "g", "5_0", "5g", "5h", "5.0",
		"5,", "5 5", "5\r", "5\xa0", "\uff15", "5 ", "5\t", "00000000000000005",
	} {
		all = append(all, payload{fmt.Sprintf("chunk of %q", size), chunked + size + "\r\nhello" + last, refused, ""})
	}
	for _, size := range []string{"5", "0000000000000005", "5;a=b", "5 ; a = b", `5;a="b;c"`, "5;"} {
		all = append(all, payload{fmt.Sprintf("chunk of %q", size), chunked + size + "\r\nhello" + last, relayed, "hello"})
	}
	for _, size := range []string{"00", "0;a=b"} {
		all = append(all, payload{fmt.Sprintf("last chunk of %q", size), chunked + "5\r\nhello\r\n" + size + "\r\n\r\n", relayed, "hello"})
	}
	for _, size := range []string{"-0", "0 ", "0x0"} {
		all = append(all, payload{fmt.Sprintf("last chunk of %q", size), chunked + "5\r\nhello\r\n" + size + "\r\n\r\n", refused, ""})
	}
	return all
}

// chunkEnds are of chunks that some take to end elsewhere.
var chunkEnds = []payload{
	{"LF in an extension", chunked + "5;a\nhello" + last, refused, ""},
	{"LF in quotes", chunked + "5;a=\"\n\"\r\nhello" + last, refused, ""},
	{"CR LF in quotes", chunked + "5;a=\"\r\n\"\r\nhello" + last, refused, ""},
	{"CR in an extension", chunked + "5;a\rb\r\nhello" + last, refused, ""},
	{"NUL in an extension", chunked + "5;a\x00\r\nhello" + last, refused, ""},
	{"size ends in LF", chunked + "5\nhello" + last, refused, ""},
	{"size ends in CR", chunked + "5\rhello" + last, refused, ""},
	{"data ends in LF", chunked + "5\r\nhello\n0\r\n\r\n", refused, ""},
	{"data ends in CR", chunked + "5\r\nhello\r0\r\n\r\n", refused, ""},
	{"data ends in nothing", chunked + "5\r\nhello0\r\n\r\n", refused, ""},
	{"data ends in others", chunked + "5\r\nhelloXX0\r\n\r\n", refused, ""},
	{"data ends in CR and another", chunked + "5\r\nhello\rX0\r\n\r\n", refused, ""},
	{"data is longer", chunked + "5\r\nhello world" + last, refused, ""},
	{"body ends in LF LF", chunked + "5\r\nhello\r\n0\n\n", refused, ""},
	{"body ends in CR LF LF", chunked + "5\r\nhello\r\n0\r\n\n", refused, ""},
	{"body ends in LF CR LF", chunked + "5\r\nhello\r\n0\n\r\n", refused, ""},
	{"LF in the last extension", chunked + "5\r\nhello\r\n0;a\n\r\n", refused, ""},
	{"2^32 and 5", chunked + "100000005\r\nhello" + last, refused, ""},
	{"2^32", chunked + "100000000\r\n\r\n{S}", refused, ""},
	// Named after what the one and the other take for a line's end.
	{"TERM.EXT", chunked + "2;\nxx\r\n{X+5}\r\n0\r\n\r\n{S}" + last, refused, ""},
	{"EXT.TERM", chunked + "{X};\nxxx\r\n0\r\n\r\n{S}" + last, refused, ""},
	{"TERM.SPILL", chunked + "5\r\nAAAAAX2\r\n45\r\n0\r\n\r\n{S}" + last, refused, ""},
	{"SPILL.TERM", chunked + "5\r\nAAAAA\n{X+5}\r\n0\r\n\r\n{S}" + last, refused, ""},
	{"ONE.TWO", chunked + "2\r\nxx\n{X+5}\r\n0\r\n\r\n{S}" + last, refused, ""},
	{"TWO.ONE", chunked + "2\r\nxx\r{X+5}\r\n0\r\n\r\n{S}" + last, refused, ""},
	{"ZERO.TWO", chunked + "2\r\nxx{X+5}\r\n0\r\n\r\n{S}" + last, refused, ""},
	{"TWO.ZERO", chunked + "2\r\nxx\r\r{X+5}\r\n0\r\n\r\n{S}" + last, refused, ""},
}

func trailers() (all []payload) {
	trailer := func(name, want, body string) {
		all = append(all, payload{fmt.Sprintf("trailer %q", name), chunked + "5\r\nhello\r\n0\r\n" + name + "\r\n\r\n", want, body})
	}
	for _, line := range []string{"Content-Length: 50", "Transfer-Encoding: chunked", "Host: b", "Connection: X-Forwarded-For", "X-Forwarded-For: 192.0.2.1"} {
		trailer(line, relayed, "hello")
	}
	for _, line := range []string{
		"X : y", "X: y\nZ: y", "X: y\r\n z", " X: y", "no colon", ": y", "X\x00: y", "X: \x00", "X: y\rZ: y", "X Y: z",
		"GET /inner/{N} HTTP/1.1", "GET http://a/inner/{N} HTTP/1.1",
	} {
		trailer(line, refused, "")
	}
	return append(all, payload{"trailer without an end", chunked + "5\r\nhello\r\n0\r\nX: y\r\n{S}", refused, ""})
}

func requestLines() (all []payload) {
	for _, l := range []struct{ name, line, want string }{
		{"HTTP/0.9", "GET {P}", refused},
		{"HTTP/0.9 and a blank", "GET {P} ", refused},
		{"two versions", "GET {P} HTTP/1.1 HTTP/1.1", refused},
		{"two blanks before the target", "GET  {P} HTTP/1.1", refused},
		{"two blanks behind the target", "GET {P}  HTTP/1.1", refused},
		{"tab before the target", "GET\t{P} HTTP/1.1", refused},
		{"tab behind the target", "GET {P}\tHTTP/1.1", refused},
		{"vertical tab behind the target", "GET {P}\x0bHTTP/1.1", refused},
		{"trailing blank", "GET {P} HTTP/1.1 ", refused},
		{"leading blank", " GET {P} HTTP/1.1", refused},
		{"leading NUL", "\x00GET {P} HTTP/1.1", refused},
		{"bare CR", "GET {P}\rHTTP/1.1", refused},
		{"NUL in the target", "GET {P}\x00 HTTP/1.1", refused},
		{"vertical tab in the target", "GET {P}\x0b HTTP/1.1", refused},
		{"DEL in the target", "GET {P}\x7f HTTP/1.1", refused},
		{"version in lower case", "GET {P} http/1.1", refused},
		{"version 1.10", "GET {P} HTTP/1.10", refused},
		{"version 1.01", "GET {P} HTTP/1.01", refused},
		{"version with a blank", "GET {P} HTTP/ 1.1", refused},
		{"version with a comma", "GET {P} HTTP/1,1", refused},
		{"version 2.0", "GET {P} HTTP/2.0", refused},
		{"version 0.9", "GET {P} HTTP/0.9", refused},
		{"version 1.2", "GET {P} HTTP/1.2", relayed}, // RFC 9110 section 2.5
		{"version 3", "GET {P} HTTP/3", refused},
		{"version 11", "GET {P} HTTP/11", refused},
		{"version +1.1", "GET {P} HTTP/+1.1", refused},
		{"NUL in the method", "G\x00T {P} HTTP/1.1", refused},
		{"parenthesis in the method", "G(T {P} HTTP/1.1", refused},
		{"method in lower case", "get {P} HTTP/1.1", relayed},
		{"no slash", "GET p HTTP/1.1", refused},
		{"no target", "GET HTTP/1.1", refused},
		{"backslash", `GET \{N} HTTP/1.1`, refused},
		{"fragment", "GET {P}#x HTTP/1.1", declined},
		{"user", "GET http://u@a{P} HTTP/1.1", declined},
		{"no authority", "GET http:///x HTTP/1.1", declined},
		{"mailto", "GET mailto:x HTTP/1.1", declined},
		{"asterisk", "GET * HTTP/1.1", declined},
		{"ftp", "GET ftp://a/x HTTP/1.1", declined},
		{"URL, another host", "GET http://b{P} HTTP/1.1", relayed},
	} {
		all = append(all, payload{"line: " + l.name, l.line + "\r\nHost: a\r\n\r\n", l.want, ""})
	}
	return all
}

var lineEnds = []payload{
	{"request line ends in LF", "GET {P} HTTP/1.1\nHost: a\r\n\r\n", refused, ""},
	{"request line ends in CR", "GET {P} HTTP/1.1\rHost: a\r\n\r\n", refused, ""},
	{"field ends in LF", get + "X: y\n\r\n", refused, ""},
	{"header ends in LF", get + "\n", refused, ""},
	{"header ends in CR CR LF", get + "\r\r\n", refused, ""},
	{"all end in LF", "GET {P} HTTP/1.1\nHost: a\n\n", refused, ""},
	{"empty line before", "\r\n" + get + "\r\n", relayed, ""},
	{"empty lines before", "\r\n\r\n\r\n\r\n" + get + "\r\n", refused, ""},
	{"empty line of LF before", "\n" + get + "\r\n", refused, ""},
	{"first field folded", "GET {P} HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n", refused, ""},
}

func hosts() (all []payload) {
	for _, h := range []struct{ name, fields, want string }{
		{"none", "X: y", refused},
		{"twice", "Host: a\r\nHost: b", refused},
		{"twice, alike", "Host: a\r\nHost: a", refused},
		{"list", "Host: a, b", refused},
		{"blank", "Host: a b", refused},
		{"NUL", "Host: a\x00b", refused},
		{"blank before colon", "Host : a", refused},
		{"folded", "Host: a\r\n b", refused},
		{"folded away", "X: y\r\n Host: a", refused},
		{"slash", "Host: a/b", refused},
		{"user", "Host: u@a", refused},
		{"fragment", "Host: a#b", refused},
		{"query", "Host: a?b", refused},
		{"backslash", `Host: a\b`, refused},
		{"bracket", "Host: a[", declined},
		{"IPv4 in brackets", "Host: [1.2.3.4]", declined},
		{"encoding of nothing", "Host: a%zz", declined},
		{"port alone", "Host: :80", declined},
		{"port of letters", "Host: a:x", declined},
		{"empty", "Host:", relayed},
	} {
		all = append(all, payload{"host: " + h.name, "GET {P} HTTP/1.1\r\n" + h.fields + "\r\n\r\n", h.want, ""})
	}
	return all
}

func fieldLines() (all []payload) {
	for _, f := range []struct{ name, line, want string }{
		{"blank in the name", "Foo Bar: x", refused},
		{"parenthesis in the name", "Foo(: x", refused},
		{"no name", ": x", refused},
		{"no colon", "Foo", refused},
		{"NUL in the name", "F\x00o: x", refused},
		{"NUL in the value", "Foo: \x00", refused},
		{"CR in the value", "Foo: a\rb", refused},
		{"BEL in the value", "Foo: \x07", refused},
		{"DEL in the value", "Foo: \x7f", refused},
		{"8 bits in the value", "Foo: \xff", relayed},
		{"underscore", "Foo_Bar: x", relayed},
		{"8 bits in the name", "F\xf6o: x", refused},
		{"folded", "Foo: x\r\n y", refused},
		{"CR behind the line", "Foo: x\r\n\rX: y", refused},
		{"bare CR and a request", "Foo: x\r\r\nGET /inner/{N} HTTP/1.1", refused},
	} {
		all = append(all, payload{"field: " + f.name, get + f.line + "\r\n\r\n", f.want, ""})
	}
	return all
}

var switches = []payload{
	{"CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n{S}", refused, ""},
	{"CONNECT with a length", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: {L}\r\n\r\n{S}", refused, ""},
	{"PRI with a field", "PRI * HTTP/2.0\r\nX: y\r\n\r\n{S}", refused, ""},
	{"PRI with a host", "PRI * HTTP/2.0\r\nHost: a\r\n\r\n{S}", refused, ""},
	{"PRI of another version", "PRI * HTTP/1.1\r\nHost: a\r\n\r\nSM\r\n\r\n", "error error", ""},
	{"switch to h2c", get + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n{S}", bothPassed, ""},
	{"switch that is not made", get + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n{S}", switched, ""},
	{"switch behind content", post + "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: {L}\r\n\r\n{S}", switched, "{S}"},
	{"TRACE with content", "TRACE {P} HTTP/1.1\r\nHost: a\r\nContent-Length: {L}\r\n\r\n{S}", declined, ""},
}

func expectations() (all []payload) {
	for _, expect := range []string{"100-continue", "100-Continue", "\t100-continue", ""} {
		all = append(all,
			payload{fmt.Sprintf("expects %q with a length", expect), post + "Expect: " + expect + "\r\nContent-Length: {L}\r\n\r\n{S}", relayed, "{S}"},
			payload{fmt.Sprintf("expects %q with chunks", expect), post + "Expect: " + expect + "\r\nTransfer-Encoding: chunked\r\n\r\n{X}\r\n{S}" + last, relayed, "{S}"},
			payload{fmt.Sprintf("expects %q without content", expect), get + "Expect: " + expect + "\r\n\r\n{S}", bothPassed, ""})
	}
	// What is refused with 417 has its length all the same (RFC 9110 section 10.1.1).
	for _, expect := range []string{"x", "y 100-continue", "100-continue, x"} {
		all = append(all,
			payload{fmt.Sprintf("expects %q with a length", expect), post + "Expect: " + expect + "\r\nContent-Length: {L}\r\n\r\n{S}", declined, ""},
			payload{fmt.Sprintf("expects %q with chunks", expect), post + "Expect: " + expect + "\r\nTransfer-Encoding: chunked\r\n\r\n{X}\r\n{S}" + last, declined, ""},
			payload{fmt.Sprintf("expects %q without content", expect), get + "Expect: " + expect + "\r\n\r\n{S}", "error inner next", ""})
	}
	return all
}
