package rewrite

import "strings"

// climbs reports whether path leads above the place that it is put, by its segments of
// dots: for whoever decodes it once, whatever he takes for the end of a segment, and
// whether or not he minds parameters. What is climbed over is no empty segment.
func climbs(path string) bool {
	if !strings.Contains(path, "..") && !strings.Contains(path, "%2e") && !strings.Contains(path, "%2E") {
		return false
	}
	for _, separators := range []string{"/", `/\`} {
		for _, decodes := range []bool{false, true} {
			if depth(path, separators, decodes) < 0 {
				return true
			}
		}
	}
	return false
}

// depth returns where path leads to, at its lowest: -1 as soon as it is above. decodes
// says that an encoded separator is one too.
func depth(path, separators string, decodes bool) int {
	deep, segment := 0, make([]byte, 0, 64)
	end := func() {
		name, _, _ := strings.Cut(string(segment), ";")
		switch segment = segment[:0]; name {
		case "", ".":
		case "..":
			deep--
		default:
			deep++
		}
	}
	for i := 0; i < len(path) && deep >= 0; i++ {
		c, encoded := path[i], false
		if c == '%' && i+2 < len(path) {
			if value, ok := unhex(path[i+1], path[i+2]); ok {
				c, encoded, i = value, true, i+2
			}
		}
		if strings.IndexByte(separators, c) >= 0 && (decodes || !encoded) {
			end()
		} else {
			segment = append(segment, c)
		}
	}
	if deep >= 0 {
		end()
	}
	return deep
}

func unhex(high, low byte) (c byte, ok bool) {
	h, l := strings.IndexByte(hexDigits, high|0x20), strings.IndexByte(hexDigits, low|0x20)
	return byte(h<<4 | l), h >= 0 && l >= 0
}

const hexDigits = "0123456789abcdef"
