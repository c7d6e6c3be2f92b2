package exposition

import (
	"iter"
	"strconv"
	"strings"
)

// Format is one in which metrics can be written. The zero value is what who asks for
// nothing gets.
type Format int

// The formats, in the order in which they are chosen where somebody takes any.
const (
	Text004        Format = iota // Prometheus's text, version 0.0.4
	Text100                      // the same, version 1.0.0
	OpenMetrics100               // OpenMetrics, version 1.0.0
	OpenMetrics001               // the same, version 0.0.1
)

// What two versions of a format have of their own is not written here.
var formats = [...]struct{ kind, version, rest string }{
	Text004:        {"text/plain", "0.0.4", "; charset=utf-8"},
	Text100:        {"text/plain", "1.0.0", "; charset=utf-8; escaping=underscores"},
	OpenMetrics100: {"application/openmetrics-text", "1.0.0", "; charset=utf-8; escaping=underscores"},
	OpenMetrics001: {"application/openmetrics-text", "0.0.1", "; charset=utf-8"},
}

func (f Format) openMetrics() bool { return f == OpenMetrics001 || f == OpenMetrics100 }

// ContentType returns the media type of a page. Names are written so that none has to be
// escaped, which every scheme of escaping takes.
func (f Format) ContentType() string {
	return formats[f].kind + "; version=" + formats[f].version + formats[f].rest
}

// Negotiate returns the format that suits an Accept field best (RFC 9110 §12.5.1): of
// those with the highest weight the one that is named first. Where none suits, it is
// Text004: a page that was not asked for is of more use than none.
func Negotiate(accept string) Format {
	ranges := parse(accept)
	best, weight, place := Text004, 0, 0
	for f := range Format(len(formats)) {
		closest, at := -1, -1
		for i, r := range ranges {
			if c := r.covers(f); c > closest {
				closest, at = c, i
			}
		}
		if at < 0 {
			continue
		}
		if w := ranges[at].weight; w > weight || w == weight && w > 0 && at < place {
			best, weight, place = f, w, at
		}
	}
	return best
}

// AcceptsGzip reports whether an Accept-Encoding field asks for gzip, or for anything.
func AcceptsGzip(accept string) bool {
	other := false
	for _, r := range parse(accept) {
		switch strings.ToLower(r.kind) {
		case "gzip", "x-gzip":
			return r.weight > 0
		case "*":
			other = r.weight > 0
		}
	}
	return other
}

// accepted is one element of a field that says what its sender takes.
type accepted struct {
	kind    string // a media type, or a range of them, or a coding
	version string // "": any
	weight  int    // in thousandths
}

// covers returns how closely r describes a format: -1 where it does not.
func (r accepted) covers(f Format) int {
	format := formats[f]
	kind := strings.ToLower(r.kind)
	whole, _, _ := strings.Cut(format.kind, "/")
	switch {
	case r.version != "" && r.version != format.version:
		return -1
	case kind == format.kind && r.version != "":
		return 3
	case kind == format.kind:
		return 2
	case kind == whole+"/*":
		return 1
	case kind == "*/*":
		return 0
	}
	return -1
}

// parse reads the elements of a field. Those that cannot be read count for nothing, and
// no parameter but version and q for anything.
func parse(field string) []accepted {
	var all []accepted
	for element := range elements(field, ',') {
		r, readable := accepted{weight: 1000}, true
		first := true
		for part := range elements(element, ';') {
			if first {
				r.kind, first = part, false
				continue
			}
			name, value, _ := strings.Cut(part, "=")
			name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`)
			switch strings.ToLower(name) {
			case "version":
				r.version = value
			case "q":
				r.weight, readable = parseWeight(value)
			}
		}
		if readable && r.kind != "" {
			all = append(all, r)
		}
	}
	return all
}

// elements yields what stands between separators that are not quoted.
func elements(text string, separator byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		quoted, begin := false, 0
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case c == '"':
				quoted = !quoted
			case c == '\\' && quoted:
				i++
			case c == separator && !quoted:
				if !yield(strings.Trim(text[begin:i], " \t")) {
					return
				}
				begin = i + 1
			}
		}
		yield(strings.Trim(text[begin:], " \t"))
	}
}

// parseWeight reads 0 to 1 with up to three decimals, in thousandths.
func parseWeight(text string) (int, bool) {
	whole, decimals, _ := strings.Cut(text, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+decimals+"000"[len(decimals):], 10, 16)
	return int(n), err == nil && n <= 1000
}
