package conformance

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// An http2Payload is a request of HTTP/2, which would be another or two in HTTP/1.1
// if it were written down there as it is.
type http2Payload struct {
	name    string
	want    string   // refused, or switched, as the stream ends with it
	fields  []string // names and values
	content string
	more    bool // content or a trailer follows the header
	trailer []string
	body    string // that the backend gets
}

var http2Table = slices.Concat(http2Lengths(), http2Values(), http2Names(), http2Methods(), http2Targets(), http2Authorities(), http2Connections(), http2Trailers(), http2Expectations())

var http2Payloads = func() (all []payload) {
	for _, p := range http2Table {
		all = append(all, payload{name: p.name, want: p.want, body: p.body})
	}
	return all
}()

// fieldsOf are those of a request, of which names and values are replaced or added.
func fieldsOf(method string, others ...string) []string {
	fields := []string{":method", method, ":scheme", "http", ":path", "{P}", ":authority", "a"}
	return append(fields, others...)
}

// replaced returns fields with another value, or without that one if it is "-".
func replaced(fields []string, name, value string) []string {
	at := slices.Index(fields, name)
	if value == "-" {
		return slices.Delete(fields, at, at+2)
	}
	fields[at+1] = value
	return fields
}

// withContent is a POST whose content is a request in HTTP/1.1.
func withContent(name, want string, fields ...string) http2Payload {
	p := http2Payload{name: name, want: want, fields: fieldsOf("POST", fields...), content: "{S}", more: true}
	if want == switched {
		p.body = p.content
	}
	return p
}

func http2Lengths() []http2Payload {
	all := []http2Payload{
		{"length without content", refused, fieldsOf("POST", "content-length", "5"), "", false, nil, ""},
		{"length and the content ends at once", refused, fieldsOf("POST", "content-length", "5"), "", true, nil, ""},
		{"length of 0 and the content ends at once", switched, fieldsOf("POST", "content-length", "0"), "", true, nil, ""},
		withContent("length twice", refused, "content-length", "{L}", "content-length", "0"),
		withContent("length twice, alike", refused, "content-length", "{L}", "content-length", "{L}"),
		withContent("alias of the length", switched, "content_length", "0"),
		withContent("alias of the coding", switched, "transfer_encoding", "chunked"),
		withContent("coding in capitals", refused, "Transfer-Encoding", "chunked"),
	}
	for _, length := range []string{"0", "5", "500", "+5", "5,5", "0x5", "", "-1", "18446744073709551616"} {
		get := withContent(fmt.Sprintf("GET of length %q", length), refused)
		get.fields = fieldsOf("GET", "content-length", length)
		all = append(all, get, withContent(fmt.Sprintf("POST of length %q", length), refused, "content-length", length))
	}
	for _, method := range []string{"GET", "HEAD", "DELETE", "POST"} {
		content := withContent("content of "+method, switched)
		content.fields = fieldsOf(method)
		all = append(all, content)
	}
	for _, coding := range []string{"chunked", "identity", "CHUNKED", " chunked", "xchunked", "chunked, identity", "\tchunked", ""} {
		all = append(all, withContent(fmt.Sprintf("coding %q", coding), refused, "transfer-encoding", coding))
	}
	return all
}

// http2Values would end their line in HTTP/1.1.
func http2Values() (all []http2Payload) {
	for _, value := range []string{"b\r\ntransfer-encoding: chunked", "b\ntransfer-encoding: chunked", "b\rtransfer-encoding: chunked", "b\r\n\r\n{S}", "b\x00c", "\r\n", "b\r\n", "b\n"} {
		for _, name := range []string{"foo", "cookie", "host"} {
			all = append(all, withContent(fmt.Sprintf("%s %q", name, value), refused, name, value))
		}
	}
	return all
}

func http2Names() (all []http2Payload) {
	for _, name := range []string{"foo: b\r\ntransfer-encoding", "foo\r\nx", "foo:bar", "transfer-encoding: chunked", "foo bar", "foo\x00", "foo\n", ":foo", "", "Foo", "foo ", " foo", "transfer-encoding ", "foo\x7f", "f\xf6o", "host: b", "content-length:"} {
		all = append(all, withContent(fmt.Sprintf("name %q", name), refused, name, "chunked"))
	}
	return all
}

func http2Methods() (all []http2Payload) {
	for _, method := range []string{"GET /inner/{N} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nx: x", "GET /inner/{N} HTTP/1.1\r\nHost: a\r\n\r\nGET", "G T", "GET\r\n", "GET\n", "", "G\x00T", "GET\t", "G(T", "GET /inner/{N}?"} {
		p := withContent(fmt.Sprintf("method %q", method), refused)
		p.fields = fieldsOf(method)
		all = append(all, p)
	}
	return append(all,
		http2Payload{"CONNECT", refused, replaced(replaced(fieldsOf("CONNECT"), ":path", "-"), ":scheme", "-"), "{S}", true, nil, ""},
		http2Payload{"CONNECT with a path", refused, fieldsOf("CONNECT"), "{S}", true, nil, ""},
		// The backend refuses it, and the content would have been the WebSocket's.
		http2Payload{"CONNECT for a WebSocket", switched, fieldsOf("CONNECT", ":protocol", "websocket"), "{S}", true, nil, ""})
}

func http2Targets() (all []http2Payload) {
	for path, want := range map[string]string{
		"{P} HTTP/1.1\r\nHost: a\r\nX: y": refused, "{P} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: y": refused, "{P} HTTP/1.1\r\n\r\nGET /inner/{N}": refused,
		"{P}\r\n": refused, "{P}\n": refused, "{P}\rx": refused, "{P}\x00": refused, "{P}\tx": refused, "{P} x": refused, "{P}?a HTTP/1.0": refused,
		"": refused, "p": refused, "*": refused, "-": refused, "http://b{P}": refused, "{P}#x": refused, "{P}?\x7f": refused,
		"//b{P}": switched, "{P}?\"<>": switched, "{P}\xff": switched,
	} {
		all = append(all, http2Payload{fmt.Sprintf("path %q", path), want, replaced(fieldsOf("GET"), ":path", path), "", false, nil, ""})
	}
	for _, scheme := range []string{"http://b/inner/{N}?", "http\r\nX-Inner: 1", "", "ftp", "http://", "-"} {
		all = append(all, http2Payload{fmt.Sprintf("scheme %q", scheme), refused, replaced(fieldsOf("GET"), ":scheme", scheme), "", false, nil, ""})
	}
	return all
}

func http2Authorities() (all []http2Payload) {
	for _, host := range []string{"a\r\nX-Inner: 1", "a\n", "a b", "a/inner/{N} HTTP/1.1", "u@a", "a#b", "a?b", "a\x00", "a[", "a, b", ":80"} {
		all = append(all,
			http2Payload{fmt.Sprintf("authority %q", host), refused, replaced(fieldsOf("GET"), ":authority", host), "", false, nil, ""},
			http2Payload{fmt.Sprintf("host %q alone", host), refused, replaced(fieldsOf("GET", "host", host), ":authority", "-"), "", false, nil, ""})
	}
	return append(all,
		http2Payload{"host unlike authority", refused, fieldsOf("GET", "host", "b"), "", false, nil, ""},
		http2Payload{"host twice", refused, fieldsOf("GET", "host", "a", "host", "b"), "", false, nil, ""},
		http2Payload{"no host", switched, replaced(fieldsOf("GET"), ":authority", "-"), "", false, nil, ""})
}

// http2Connections are fields of one connection, and pseudo-header fields where
// none may stand.
func http2Connections() (all []http2Payload) {
	for _, f := range [][]string{
		{"connection", "transfer-encoding"}, {"connection", "content-length"}, {"connection", "close"}, {"connection", "upgrade"}, {"upgrade", "websocket"}, {"upgrade", "h2c"},
		{"keep-alive", "timeout=5"}, {"proxy-connection", "close"}, {"te", "chunked"}, {"te", "trailers, chunked"},
		{":method", "GET"}, {":path", "/inner/{N}"}, {":authority", "b"}, {":scheme", "https"}, {":status", "200"}, {":foo", "x"}, {":protocol", "websocket"},
	} {
		all = append(all, withContent(fmt.Sprintf("%s: %s", f[0], f[1]), refused, f...))
	}
	return append(all,
		withContent("a switch", refused, "connection", "upgrade", "upgrade", "websocket", "sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==", "sec-websocket-version", "13"),
		withContent("a switch to h2c", refused, "connection", "Upgrade, HTTP2-Settings", "upgrade", "h2c", "http2-settings", "AAMAAABkAARAAAAAAAIAAAAA"),
		http2Payload{"path behind a field", refused, append(replaced(fieldsOf("GET"), ":path", "-"), "x", "y", ":path", "{P}"), "", false, nil, ""})
}

func http2Trailers() (all []http2Payload) {
	for _, t := range []struct{ name, value, want string }{
		{"content-length", "0", refused},
		{"transfer-encoding", "chunked", refused},
		{"host", "b", refused},
		{"x-forwarded-for", "192.0.2.1", switched},
		{"connection", "close", refused},
		{"x", "y\r\n\r\n{S}", refused},
		{"x", "y\nz: 1", refused},
		{"x\r\n\r\nGET /inner/{N}", "y", refused},
		{":path", "/inner/{N}", refused},
		{"X", "y", refused},
		{"x y", "z", refused},
		{"x", "\x00", refused},
		{"", "x", refused},
	} {
		p := http2Payload{fmt.Sprintf("trailer %q", t.name+": "+t.value), t.want, fieldsOf("POST", "trailer", "x"), "hello", true, []string{t.name, t.value}, ""}
		if t.want == switched {
			p.body = "hello"
		}
		all = append(all, p)
	}
	return all
}

func http2Expectations() (all []http2Payload) {
	for expect, want := range map[string]string{"100-continue": switched, "": switched, "y 100-continue": refused} {
		all = append(all,
			withContent(fmt.Sprintf("expects %q", expect), want, "expect", expect),
			withContent(fmt.Sprintf("expects %q, length less", expect), refused, "expect", expect, "content-length", "5"),
			http2Payload{fmt.Sprintf("expects %q without content", expect), want, fieldsOf("GET", "expect", expect), "", false, nil, ""})
	}
	return all
}

// sendHTTP2 sends a payload and returns whose answer came, or error: also where
// the stream or the connection ends without one.
func sendHTTP2(conn net.Conn, number int) (answers []string, err error) {
	p := http2Table[number]
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, conn)
	framer.AllowIllegalWrites = true
	framer.WriteSettings()
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(number, p.fields), EndHeaders: true, EndStream: !p.more})
	if p.more {
		framer.WriteData(1, p.trailer == nil, []byte(nth(number, p.content)))
	}
	if p.trailer != nil {
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(number, p.trailer), EndHeaders: true, EndStream: true})
	}
	framer.WriteSettingsAck()
	go conn.Write(out.Bytes())
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		frame, err := framer.ReadFrame()
		if err == io.EOF {
			return []string{"error"}, nil
		}
		if err != nil {
			return nil, err
		}
		switch frame := frame.(type) {
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return []string{"error"}, nil
		case *http2.MetaHeadersFrame:
			if frame.PseudoValue("status") < "200" {
				break
			}
			target := ""
			for _, f := range frame.Fields {
				if f.Name == "x-target" {
					target = f.Value
				}
			}
			return []string{answeredTo(target)}, nil
		}
	}
}

func block(number int, fields []string) []byte {
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		encoder.WriteField(hpack.HeaderField{Name: nth(number, fields[i]), Value: nth(number, fields[i+1])})
	}
	return b.Bytes()
}
