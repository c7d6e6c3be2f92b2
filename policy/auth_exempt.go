package policy

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ExemptPaths are the paths that need no credentials. As text they are a comma
// list of /exact and of /below/*, which is every path that begins with /below/.
type ExemptPaths []string

// UnmarshalText parses a list of paths.
func (p *ExemptPaths) UnmarshalText(text []byte) error {
	*p = nil
	var wrong []error
	for path := range strings.SplitSeq(string(text), ",") {
		path = strings.TrimSpace(path)
		plain, below := strings.CutSuffix(path, "/*")
		if below {
			plain += "/"
		}
		switch {
		case path == "/*":
			wrong = append(wrong, fmt.Errorf("%q exempts everything", path))
		case !strings.HasPrefix(path, "/"):
			wrong = append(wrong, fmt.Errorf("%q must begin with /", path))
		case strings.Contains(plain, "*"):
			wrong = append(wrong, fmt.Errorf("%q: a * can only be behind the last /", path))
		case !isUnambiguous(plain):
			wrong = append(wrong, fmt.Errorf("%q must be letters, digits and -._~!$&'()+=:@, without . and .. or nothing between slashes", path))
		}
		*p = append(*p, path)
	}
	return errors.Join(wrong...)
}

// contain reports whether u needs no credentials. Backends differ in what they
// make of a path that is encoded, or has .. or // in it: one that could mean
// another one to anybody is not exempt, whatever it begins with.
func (p ExemptPaths) contain(u *url.URL) bool {
	if len(p) == 0 {
		return false
	}
	path := u.EscapedPath() // as the backend will get it
	for _, exempt := range p {
		below, ok := strings.CutSuffix(exempt, "*")
		if path == exempt || ok && strings.HasPrefix(path, below) {
			return isUnambiguous(path)
		}
	}
	return false
}

// isUnambiguous reports whether path means the same to all who read it: it is
// not encoded, has no parameters, and nothing in it can be left out.
func isUnambiguous(path string) bool {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return false
	}
	for {
		segment, after, more := strings.Cut(rest, "/")
		if segment == "." || segment == ".." || segment == "" && more {
			return false
		}
		for i := range len(segment) {
			c := segment[i]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!$&'()*+=:@", c) >= 0) {
				return false
			}
		}
		if !more {
			return true
		}
		rest = after
	}
}
