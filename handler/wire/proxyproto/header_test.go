package proxyproto

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// v2 returns a header of version 2 with that content, of which the length is
// told.
func v2(command, family byte, content string) string {
	return signatureV2 + string([]byte{command, family, byte(len(content) >> 8), byte(len(content))}) + content
}

const (
	ends4 = "\x01\x02\x03\x04\x0a\x00\x00\x01\x30\x39\x00\x50"                                                                                        // 1.2.3.4:12345 to 10.0.0.1:80
	ends6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + // 2001:db8::1 to ::2
		"\x30\x39\x00\x50"
	mapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x0a\x00\x00\x01" +
		"\x30\x39\x00\x50"
)

func header(source, destination string) Header {
	return Header{Source: netip.MustParseAddrPort(source), Destination: netip.MustParseAddrPort(destination)}
}

var received = map[string]struct {
	sent string
	want Header
	fail Reason
}{
	"v1, TCP4":                                {sent: "PROXY TCP4 1.2.3.4 10.0.0.1 12345 80\r\n", want: header("1.2.3.4:12345", "10.0.0.1:80")},
	"v1, TCP6":                                {sent: "PROXY TCP6 2001:db8::1 2001:db8::2 12345 80\r\n", want: header("[2001:db8::1]:12345", "[2001:db8::2]:80")},
	"v1, TCP6, IPv4 as IPv6":                  {sent: "PROXY TCP6 ::ffff:1.2.3.4 ::ffff:10.0.0.1 12345 80\r\n", want: header("1.2.3.4:12345", "10.0.0.1:80")},
	"v1, TCP6, one end IPv4, as nginx has":    {sent: "PROXY TCP6 2001:db8::1 192.0.2.1 51512 22\r\n", want: header("[2001:db8::1]:51512", "192.0.2.1:22")},
	"v1, the longest of TCP6":                 {sent: "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", want: header("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")},
	"v1, ports of 0":                          {sent: "PROXY TCP4 1.2.3.4 10.0.0.1 0 0\r\n", want: header("1.2.3.4:0", "10.0.0.1:0")},
	"v1, UNKNOWN":                             {sent: "PROXY UNKNOWN\r\n"},
	"v1, UNKNOWN, with what is to be ignored": {sent: "PROXY UNKNOWN ffff::1 ffff::2 65535 x\r\n"},
	"v1, UNKNOWN, the longest":                {sent: "PROXY UNKNOWN " + strings.Repeat("x", 107-16) + "\r\n"},
	"v1, an unspecified source":               {sent: "PROXY TCP4 0.0.0.0 10.0.0.1 0 80\r\n"},
	"v1, a line too long":                     {sent: "PROXY UNKNOWN " + strings.Repeat("x", 108-16) + "\r\n", fail: Malformed},
	"v1, a line without end":                  {sent: "PROXY " + strings.Repeat("x", 500), fail: Malformed},
	"v1, LF alone":                            {sent: "PROXY TCP4 1.2.3.4 10.0.0.1 12345 80\n", fail: Malformed},
	"v1, UNKNOWN, LF alone, CR LF later":      {sent: "PROXY UNKNOWN\nGET / HTTP/1.1\r\n", fail: Malformed},
	"v1, CR amid the line":                    {sent: "PROXY UNKNOWN\rx\r\n", fail: Malformed},
	"v1, TCP4 with IPv6":                      {sent: "PROXY TCP4 ::1 ::1 12345 80\r\n", fail: Malformed},
	"v1, TCP4 with IPv4 as IPv6":              {sent: "PROXY TCP4 ::ffff:1.2.3.4 10.0.0.1 12345 80\r\n", fail: Malformed},
	"v1, a zone":                              {sent: "PROXY TCP6 fe80::1%lo fe80::2 12345 80\r\n", fail: Malformed},
	"v1, a leading zero":                      {sent: "PROXY TCP4 01.2.3.4 10.0.0.1 12345 80\r\n", fail: Malformed},
	"v1, a leading zero of a port":            {sent: "PROXY TCP4 1.2.3.4 10.0.0.1 012345 80\r\n", fail: Malformed},
	"v1, a port too large":                    {sent: "PROXY TCP4 1.2.3.4 10.0.0.1 65536 80\r\n", fail: Malformed},
	"v1, a port below 0":                      {sent: "PROXY TCP4 1.2.3.4 10.0.0.1 -1 80\r\n", fail: Malformed},
	"v1, no address":                          {sent: "PROXY TCP4 localhost 10.0.0.1 12345 80\r\n", fail: Malformed},
	"v1, two spaces":                          {sent: "PROXY TCP4  1.2.3.4 10.0.0.1 12345 80\r\n", fail: Malformed},
	"v1, a space at the end":                  {sent: "PROXY TCP4 1.2.3.4 10.0.0.1 12345 80 \r\n", fail: Malformed},
	"v1, too little":                          {sent: "PROXY TCP4 1.2.3.4\r\n", fail: Malformed},
	"v1, nothing":                             {sent: "PROXY \r\n", fail: Malformed},
	"v1, another protocol":                    {sent: "PROXY UDP4 1.2.3.4 10.0.0.1 12345 80\r\n", fail: Malformed},
	"v1, in lower case":                       {sent: "proxy TCP4 1.2.3.4 10.0.0.1 12345 80\r\n", fail: Missing},

	"v2, TCP4":                            {sent: v2(0x21, 0x11, ends4), want: header("1.2.3.4:12345", "10.0.0.1:80")},
	"v2, TCP6":                            {sent: v2(0x21, 0x21, ends6), want: header("[2001:db8::1]:12345", "[2001:db8::2]:80")},
	"v2, TCP6, IPv4 as IPv6":              {sent: v2(0x21, 0x21, mapped), want: header("1.2.3.4:12345", "10.0.0.1:80")},
	"v2, additions":                       {sent: v2(0x21, 0x11, ends4+"\x04\x00\x01x\x01\x00\x02h2"), want: header("1.2.3.4:12345", "10.0.0.1:80")},
	"v2, additions that are none":         {sent: v2(0x21, 0x11, ends4+"\x04\xff"), want: header("1.2.3.4:12345", "10.0.0.1:80")},
	"v2, as long as can be":               {sent: v2(0x21, 0x11, ends4+strings.Repeat("x", 0xffff-len(ends4))), want: header("1.2.3.4:12345", "10.0.0.1:80")},
	"v2, LOCAL":                           {sent: v2(0x20, 0x00, ""), want: Header{Local: true}},
	"v2, LOCAL, with addresses":           {sent: v2(0x20, 0x11, ends4), want: Header{Local: true}},
	"v2, LOCAL, of no family that exists": {sent: v2(0x20, 0xff, "x"), want: Header{Local: true}},
	"v2, LOCAL, as long as can be":        {sent: v2(0x20, 0x00, strings.Repeat("x", 0xffff)), want: Header{Local: true}},
	"v2, an unspecified family":           {sent: v2(0x21, 0x00, "anything")},
	"v2, UDP4":                            {sent: v2(0x21, 0x12, ends4)},
	"v2, Unix":                            {sent: v2(0x21, 0x31, strings.Repeat("x", 216))},
	"v2, an unspecified source":           {sent: v2(0x21, 0x21, strings.Repeat("\x00", 36))},
	"v2, TCP4 without addresses":          {sent: v2(0x21, 0x11, ""), fail: Malformed},
	"v2, TCP4 a byte too short":           {sent: v2(0x21, 0x11, ends4[1:]), fail: Malformed},
	"v2, TCP6 with those of TCP4":         {sent: v2(0x21, 0x21, ends4), fail: Malformed},
	"v2, version 1":                       {sent: v2(0x11, 0x11, ends4), fail: Malformed},
	"v2, a command that there is not":     {sent: v2(0x22, 0x11, ends4), fail: Malformed},
	"v2, a family that there is not":      {sent: v2(0x21, 0x41, ends4), fail: Malformed},
	"v2, a protocol that there is not":    {sent: v2(0x21, 0x13, ends4), fail: Malformed},
	"v2, a signature that goes wrong":     {sent: "\r\n\r\n\x00\r\nQUIX\n", fail: Missing},

	"a request":                  {sent: "GET / HTTP/1.1\r\n\r\n", fail: Missing},
	"HTTP/2":                     {sent: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", fail: Missing},
	"TLS":                        {sent: "\x16\x03\x01\x02\x00\x01", fail: Missing},
	"a line before":              {sent: "\r\nGET / HTTP/1.1\r\n\r\n", fail: Missing},
	"a method like it":           {sent: "PROXYING / HTTP/1.1\r\n\r\n", fail: Missing},
	"a header of it as a method": {sent: "PROXY / HTTP/1.1\r\n\r\n", fail: Malformed},
}

func TestParse(t *testing.T) {
	for name, test := range received {
		t.Run(name, func(t *testing.T) {
			const behind = "GET / HTTP/1.1\r\n\r\n"
			got, length, err := parse([]byte(test.sent + behind))
			if test.fail != "" {
				if wrong, ok := err.(*Error); !ok || wrong.Reason != test.fail {
					t.Fatalf("error %v, want %s", err, test.fail)
				}
				return
			}
			if err != nil || length != len(test.sent) {
				t.Fatalf("length %d, error %v, want %d and none", length, err, len(test.sent))
			}
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			for cut := range min(len(test.sent), 200) { // less of it is never enough to go wrong by
				if part, n, err := parse([]byte(test.sent[:cut])); err != nil || n != 0 && (part != got || n != length) {
					t.Fatalf("the first %d bytes: %+v, length %d, error %v", cut, part, n, err)
				}
			}
		})
	}
}

func TestAppend(t *testing.T) {
	named4, named6 := header("1.2.3.4:12345", "10.0.0.1:80"), header("[2001:db8::1]:12345", "[2001:db8::2]:80")
	zoned := Header{Source: netip.MustParseAddrPort("[fe80::1%eth0]:1"), Destination: netip.MustParseAddrPort("[fe80::2%eth0]:2")}
	for name, test := range map[string]struct {
		h           Header
		line, block string
	}{
		"TCP4":               {named4, "PROXY TCP4 1.2.3.4 10.0.0.1 12345 80\r\n", v2(0x21, 0x11, ends4)},
		"TCP6":               {named6, "PROXY TCP6 2001:db8::1 2001:db8::2 12345 80\r\n", v2(0x21, 0x21, ends6)},
		"two families":       {header("1.2.3.4:12345", "[2001:db8::2]:80"), "PROXY TCP6 ::ffff:1.2.3.4 2001:db8::2 12345 80\r\n", v2(0x21, 0x21, mapped[:16]+ends6[16:])},
		"zones":              {zoned, "PROXY TCP6 fe80::1 fe80::2 1 2\r\n", v2(0x21, 0x21, "\xfe\x80"+strings.Repeat("\x00", 13)+"\x01\xfe\x80"+strings.Repeat("\x00", 13)+"\x02\x00\x01\x00\x02")},
		"nobody":             {Header{}, "PROXY UNKNOWN\r\n", v2(0x21, 0x00, "")},
		"half of the ends":   {Header{Source: named4.Source}, "PROXY UNKNOWN\r\n", v2(0x21, 0x00, "")},
		"itself":             {Header{Local: true}, "PROXY UNKNOWN\r\n", v2(0x20, 0x00, "")},
		"itself, whose else": {Header{Local: true, Source: named4.Source, Destination: named4.Destination}, "PROXY UNKNOWN\r\n", v2(0x20, 0x00, "")},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.line, string(test.h.Append(nil, V1))); diff != "" {
				t.Errorf("v1 (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.block, string(test.h.Append(nil, V2))); diff != "" {
				t.Errorf("v2 (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParse holds that a header is the same however much comes with it, that its
// length does not depend on what follows, and that what is written is read.
func FuzzParse(f *testing.F) {
	for _, test := range received {
		f.Add([]byte(test.sent))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		h, length, err := parse(p)
		for cut := range p {
			part, n, errPart := parse(p[:cut])
			switch {
			case errPart != nil && (err == nil || err.Error() != errPart.Error()):
				t.Fatalf("the first %d bytes: %v; all: %v", cut, errPart, err)
			case n != 0 && (part != h || n != length):
				t.Fatalf("the first %d bytes: %+v, length %d; all: %+v, length %d", cut, part, n, h, length)
			}
		}
		if err != nil || length == 0 {
			return
		}
		for _, v := range []Version{V1, V2} {
			again, _, err := parse(h.Append(nil, v))
			if want := h; err != nil || v == V2 && again != want || !h.Local && again != want {
				t.Fatalf("v%d of %+v is read as %+v, error %v", v, h, again, err)
			}
		}
	})
}
