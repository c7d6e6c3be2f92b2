package http1

import (
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// maxFields bounds the fields of a header, each of which takes more memory than bytes.
const maxFields = 1000

// Framing is what the fields of a message say of where it ends, and of what becomes
// of its connection.
type Framing struct {
	Length  int64 // of the content; -1 where no field tells
	Chunked bool
	Hosts   int  // how many there are
	Close   bool // Connection says close
	Keep    bool // it says keep-alive

	host    string // of the last line of Host
	sized   string // as Content-Length says it, which is never empty; "" where there is none
	codings codings
}

// fields is memory for a header, which can be used again. The zero value is ready to
// use.
type fields struct {
	header http.Header
	values []string // that are in it
}

// maxKept is how many fields may have their memory used again.
const maxKept = 100

// reset forgets what is in it.
func (m *fields) reset() {
	if len(m.values) > maxKept || len(m.header) > maxKept {
		*m = fields{}
	}
	clear(m.values)
	clear(m.header)
}

// parse reads the field lines in lines, each of which ends in CRLF, up to an empty one,
// into a header. Its strings share the memory of lines. Host and Transfer-Encoding are
// left out. The header has room for more fields, which need no other memory.
func (m *fields) parse(lines string, more int) (http.Header, Framing, error) {
	f := Framing{Length: -1}
	n := strings.Count(lines, "\n") - 1
	if n > maxFields {
		return nil, f, ErrTooLarge
	}
	if m.header == nil {
		m.header = make(http.Header, n+more)
	}
	m.values = slices.Grow(m.values[:0], n)[:n]
	header, values := m.header, m.values
	for {
		end := strings.IndexByte(lines, '\n')
		line := lines[:end-1]
		if line == "" {
			return header, f, nil
		}
		lines = lines[end+1:]
		name, value, err := splitField(line)
		if err != nil {
			return nil, f, err
		}
		passes, err := f.field(name, value)
		if err != nil {
			return nil, f, err
		}
		if !passes {
			continue
		}
		if all := header[name]; all != nil {
			header[name] = append(all, value)
			continue
		}
		values[0] = value
		header[name], values = values[:1:1], values[1:]
	}
}

// field notes what a field says of the framing, and reports whether it is of the
// message, and not only of that.
func (f *Framing) field(name, value string) (passes bool, err error) {
	switch name {
	case "Connection":
		for option := range strings.SplitSeq(value, ",") {
			switch option = trim(option); {
			case isWord(option, "close"):
				f.Close = true
			case isWord(option, "keep-alive"):
				f.Keep = true
			}
		}
	case "Host":
		f.Hosts++
		f.host = value
		return false, nil
	case "Content-Length":
		length, err := strconv.ParseUint(value, 10, 63)
		if err != nil || f.sized != "" && f.sized != value {
			return false, malformed("Content-Length %.40q", value)
		}
		repeated := f.sized != ""
		f.sized, f.Length = value, int64(length)
		return !repeated, nil
	case "Transfer-Encoding":
		f.Chunked = true
		f.codings.add(value)
		return false, nil
	}
	return true, nil
}

// check returns an error for a message that could end in two places.
func (f *Framing) check(http10 bool) error {
	switch {
	case f.Chunked && f.sized != "":
		return malformed("both Content-Length and Transfer-Encoding")
	case f.Chunked && http10:
		return malformed("Transfer-Encoding in HTTP/1.0")
	}
	return nil
}

// codings are what the lines of Transfer-Encoding so far end in.
type codings int

const (
	noCodings codings = iota
	otherLast
	chunkedAlone // one line with nothing else in it, not even a comma
	chunkedLast
	behindChunked // which nothing may follow, itself included
)

func (c *codings) add(value string) {
	if *c == noCodings && isWord(value, "chunked") {
		*c = chunkedAlone
		return
	}
	switch *c {
	case noCodings:
		*c = otherLast
	case chunkedAlone:
		*c = chunkedLast
	}
	for coding := range strings.SplitSeq(value, ",") {
		switch coding = trim(coding); {
		case coding == "":
		case *c >= chunkedLast:
			*c = behindChunked
		case isWord(coding, "chunked"):
			*c = chunkedLast
		default:
			*c = otherLast
		}
	}
}

// endChunked reports whether the end of a request with these codings can be told
// (RFC 9112 §6.3).
func (c codings) endChunked() bool { return c == chunkedAlone || c == chunkedLast }

// splitField returns the name of a field line, in its canonical form, and its value.
func splitField(line string) (name, value string, err error) {
	if line[0] == ' ' || line[0] == '\t' {
		return "", "", malformed("a folded line")
	}
	name, value, found := strings.Cut(line, ":")
	if !found {
		return "", "", malformed("a field without a colon")
	}
	canonical := canonical(name)
	if canonical == "" {
		return "", "", malformed("field name %.40q", name)
	}
	value = trim(value)
	if !isValue(value) {
		return "", "", malformed("value of field %.40q with a control character", name)
	}
	return canonical, value, nil
}

// canonical returns name in the form that is used for keys of [http.Header], "" if it
// is no token.
func canonical(name string) string {
	if name == "" {
		return ""
	}
	for at := place(name); ; at++ {
		switch known := &names[at%len(names)]; name {
		case known.canonical, known.small:
			return known.canonical
		default:
			if known.canonical != "" {
				continue
			}
			if !isToken(name) {
				return ""
			}
			return textproto.CanonicalMIMEHeaderKey(name)
		}
	}
}

const namesSize = 256

// place returns where in names one begins to look for name, whatever the case of its
// letters.
func place(name string) int {
	first, middle, last := name[0]|0x20, name[len(name)/2]|0x20, name[len(name)-1]|0x20
	return (len(name)*7 + int(first)*31 + int(middle)*3 + int(last)*17) % namesSize
}

// names are names that come often, which then need no memory of their own, each in
// its canonical form and in small letters: where [place] says, or behind.
var names = func() (all [namesSize]struct{ canonical, small string }) {
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Accept-Ranges", "Age", "Authorization", "Cache-Control", "Connection",
		"Content-Encoding", "Content-Language", "Content-Length", "Content-Type", "Cookie", "Date", "Etag", "Expect", "Expires",
		"Forwarded", "Grpc-Timeout", "Host", "If-Modified-Since", "If-None-Match", "Keep-Alive", "Last-Modified", "Link", "Location",
		"Max-Forwards", "Origin", "Pragma", "Priority", "Range", "Referer", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site",
		"Sec-Fetch-User", "Server", "Set-Cookie", "Strict-Transport-Security", "Te", "Traceparent", "Tracestate", "Trailer",
		"Transfer-Encoding", "Upgrade", "Upgrade-Insecure-Requests", "User-Agent", "Vary", "Via", "X-Forwarded-For",
		"X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "X-Request-Id",
	} {
		at := place(name)
		for all[at%len(all)].canonical != "" {
			at++
		}
		all[at%len(all)].canonical, all[at%len(all)].small = name, strings.ToLower(name)
	}
	return all
}()

// trim returns s without the blanks around it.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// isWord reports whether s is word but for the case of ASCII letters: others, such as
// the Kelvin sign, take more bytes.
func isWord(s, word string) bool { return len(s) == len(word) && strings.EqualFold(s, word) }
