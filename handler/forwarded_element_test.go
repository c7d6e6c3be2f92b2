package handler

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseElement(t *testing.T) {
	for text, want := range map[string]forwardedElement{
		"":                          {},
		";":                         {},
		"for=1.2.3.4":               {node: "1.2.3.4"},
		"For=a;PROTO=b;by=c;Host=d": {node: "a", proto: "b", by: "c", host: "d"},
		`for="a;b,c\"d\\"`:          {node: `"a;b,c\"d\\"`},
		`for="";;host=x;`:           {node: `""`, host: "x"},
		"secret=x;for=a;secret=y":   {node: "a"},
		"for=\"\t\xc3\xa4\"":        {node: "\"\t\xc3\xa4\""},
	} {
		if got, ok := parseElement(text); !ok || got != want {
			t.Errorf("%q: got %+v, %t, want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"for", "for=", "=a", "for =a", "for= a", "for=a ;by=b", "for=a; by=b", " for=a", "for=a b", "for=a,b", "for=[::1]", "for=1.2.3.4:80",
		"for=a;for=b", "for=a;FOR=a", `for="`, `for="a`, `for="a\"`, `for="a\`, `for="a"b`, `for="a"";by=c`, `for=a"b"`, "for=\"\x00\"", "for=\"\\\x00\"", "for=\"\x7f\"",
		"f\x00r=a", "für=a", "for=ä", "for=a;;by", "for==a", "@=a",
	} {
		if got, ok := parseElement(text); ok {
			t.Errorf("%q: got %+v, want none", text, got)
		}
	}
}

func TestParseNode(t *testing.T) {
	for text, want := range map[string]string{
		"1.2.3.4": "1.2.3.4", `"1.2.3.4"`: "1.2.3.4", `"1.2.3.4:80"`: "1.2.3.4", `"1.2.3.4:_p"`: "1.2.3.4", `"1\.2.3.4"`: "1.2.3.4",
		`"[2001:db8::1]"`: "2001:db8::1", `"[2001:db8::1]:65535"`: "2001:db8::1", `"[2001:DB8::1]:_a.b-c_"`: "2001:db8::1", `"[::ffff:1.2.3.4]"`: "1.2.3.4",
	} {
		if got, ok := parseNode(text); !ok || got != netip.MustParseAddr(want) {
			t.Errorf("%q: got %v, %t, want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", `""`, "unknown", `"unknown:80"`, "_hidden", "_", "example.com", `"2001:db8::1"`, `"[1.2.3.4]"`, `"[2001:db8::1"`, `"[]"`, `"[fe80::1%eth0]"`, `"[::1]80"`,
		`"1.2.3.4:"`, `"1.2.3.4:_"`, `"1.2.3.4:123456"`, `"1.2.3.4:8o"`, `"1.2.3.4:80:80"`, `"[::1]:"`, `"[::1]:_a b"`, `" 1.2.3.4"`, "01.2.3.4", "1.2.3", "0x7f000001",
	} {
		if got, ok := parseNode(text); ok {
			t.Errorf("%q: got %v, want none", text, got)
		}
	}
}

// FuzzForwarded reads one line as whole as the grammar does, from the left, and
// as this package does, from the right.
func FuzzForwarded(f *testing.F) {
	f.Add(`for=192.0.2.43, for="[2001:db8:cafe::17]:4711";by=_a;proto=http;host="a,\"b"`)
	f.Add(`for="_gazonk"`)
	f.Add(`for="a\\",for="\"",`)
	f.Fuzz(func(t *testing.T, line string) {
		fromLeft, ok := elements(line)
		if !ok {
			return
		}
		rest, more := line, true
		for i := len(fromLeft) - 1; i >= 0; i-- {
			if !more {
				t.Fatalf("%q: has %d elements from the left, fewer from the right", line, len(fromLeft))
			}
			var text string
			rest, text, more = cutLastElement(rest)
			got, ok := parseElement(trim(text))
			if !ok || got != fromLeft[i] {
				t.Fatalf("%q: element %d is %+v from the left and %+v, %t from the right", line, i, fromLeft[i], got, ok)
			}
			for _, value := range []string{got.node, got.by, got.host, got.proto} {
				if end := valueEnd(value); end != len(value) {
					t.Errorf("%q: %q ends at %d", line, value, end)
				}
				unquote(value)
			}
			if addr, ok := parseNode(got.node); ok {
				again, ok := parseElement(element(addr, "h", "http"))
				if back, named := parseNode(again.node); !ok || !named || back != addr {
					t.Errorf("%v is written so that it reads %v", addr, back)
				}
			}
		}
		if more {
			t.Errorf("%q: has %d elements from the left, more from the right", line, len(fromLeft))
		}
	})
}

// elements reads a whole line from the left.
func elements(line string) (all []forwardedElement, ok bool) {
	for {
		end, quoted := 0, false
		for ; end < len(line) && (quoted || line[end] != ','); end++ {
			if quoted && line[end] == '\\' {
				end++
			} else if line[end] == '"' {
				quoted = !quoted
			}
		}
		end = min(end, len(line))
		e, ok := parseElement(trim(line[:end]))
		if !ok {
			return nil, false
		}
		all = append(all, e)
		if end == len(line) {
			return all, true
		}
		line = line[end+1:]
	}
}

func TestOwnElementIsRead(t *testing.T) {
	for _, host := range []string{"", "a.test", "a.test:80", "[::1]:80", `a"b`, `a\b`} {
		for _, peer := range []string{"1.2.3.4", "2001:db8::1"} {
			addr := netip.MustParseAddr(peer)
			e, ok := parseElement(element(addr, host, "https"))
			got, named := parseNode(e.node)
			if !ok || !named || got != addr || e.proto != "https" || e.host != "" && unquote(e.host) != host || e.host == "" && !strings.ContainsAny(host, `"\`) && host != "" {
				t.Errorf("%s %q is written so that it reads %+v", peer, host, e)
			}
		}
	}
}

// element returns what is written of a hop.
func element(hop netip.Addr, host, proto string) string {
	c := Client{Host: host, Scheme: proto}
	return string(c.appendHop(nil, rfc7239, hop))
}
