package policy

import (
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/config"
)

// CORSMethods are names of methods, or "*" alone for all.
type CORSMethods []string

// UnmarshalText parses a comma list of methods.
func (m *CORSMethods) UnmarshalText(text []byte) (err error) {
	if config.IsOff(text) {
		return errors.New("must be names of methods; CORS_ALLOWED_ORIGINS=none switches CORS off")
	}
	*m, err = parseNames(string(text), func(method string) (string, error) {
		switch upper := strings.ToUpper(method); upper {
		case "CONNECT", "TRACE", "TRACK": // https://fetch.spec.whatwg.org/#forbidden-method
			return "", errors.New("browsers do not let pages use this method")
		case "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT":
			if method != upper {
				return "", fmt.Errorf("methods tell upper from lower case: write %s", upper)
			}
		}
		return method, nil
	})
	return errors.Join(err, alone("methods", *m))
}

func (m CORSMethods) allow(method string) bool {
	return slices.Contains(m, method) || len(m) == 1 && m[0] == "*"
}

// CORSHeaders are names of request header fields in lower case. "*" stands for
// all but Authorization, which may be beside it. Empty, off as text, it has none.
type CORSHeaders []string

// UnmarshalText parses a comma list of names.
func (h *CORSHeaders) UnmarshalText(text []byte) (err error) {
	if config.IsOff(text) {
		*h = CORSHeaders{}
		return nil
	}
	*h, err = parseNames(string(text), func(name string) (string, error) {
		name = strings.ToLower(name)
		if forbiddenInRequest(name) {
			return "", errors.New("browsers do not let pages set this field")
		}
		return name, nil
	})
	if slices.Contains(*h, "*") && slices.ContainsFunc(*h, func(name string) bool { return name != "*" && name != "authorization" }) {
		err = errors.Join(err, errors.New("* is every field but Authorization, which alone can be beside it"))
	}
	return err
}

// CORSExposed are names of response header fields in lower case, or "*" alone
// for all.
type CORSExposed []string

// UnmarshalText parses a comma list of names.
func (e *CORSExposed) UnmarshalText(text []byte) (err error) {
	if config.IsOff(text) {
		*e = nil
		return nil
	}
	*e, err = parseNames(string(text), func(name string) (string, error) {
		name = strings.ToLower(name)
		switch {
		case name == "set-cookie" || name == "set-cookie2": // https://fetch.spec.whatwg.org/#forbidden-response-header-name
			return "", errors.New("browsers do not let pages read this field")
		case name == "origin" || strings.HasPrefix(name, "access-control-"):
			return "", errors.New("is for the browser, not for pages")
		}
		return name, nil
	})
	return errors.Join(err, alone("fields", *e))
}

// parseNames parses a comma list of tokens other than "*", each as one says. Its
// error joins one for each that is wrong.
func parseNames(text string, one func(string) (string, error)) (names []string, err error) {
	var wrong []error
	for item := range strings.SplitSeq(text, ",") {
		name := strings.TrimSpace(item)
		var err error
		if !httpguts.ValidHeaderFieldName(name) { // a token, as methods are too
			err = errors.New("must be a name of letters, digits and -")
		} else if name != "*" {
			name, err = one(name)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%q: %w", strings.TrimSpace(item), err))
		} else if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, errors.Join(wrong...)
}

// alone returns an error when "*" has company.
func alone(what string, names []string) error {
	if len(names) > 1 && slices.Contains(names, "*") {
		return fmt.Errorf("* is all %s and stands alone", what)
	}
	return nil
}

// forbiddenInRequest reports whether a page cannot set the field of that name,
// https://fetch.spec.whatwg.org/#forbidden-request-header, or the field is one
// of a response.
func forbiddenInRequest(name string) bool {
	switch name {
	case "accept-charset", "accept-encoding", "connection", "content-length", "cookie", "cookie2", "date", "dnt", "expect",
		"host", "keep-alive", "origin", "referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via":
		return true
	}
	return strings.HasPrefix(name, "proxy-") || strings.HasPrefix(name, "sec-") || strings.HasPrefix(name, "access-control-")
}

// requestHeaderSet says of a preflight whether pages may send the fields that
// it asks for. It reads no further than that takes and allocates nothing.
type requestHeaderSet struct {
	names   map[string]struct{}
	any     bool
	most    int // names in a list
	longest int // of names
}

// RFC 9110 §5.6.1.2 has empty elements of a list ignored, as many as there can
// be without abuse, and browsers send none.
const maxEmptyElements = 16

func newRequestHeaderSet(headers CORSHeaders) *requestHeaderSet {
	// No name is twice in a list, so that a longer one has one that is not allowed.
	s := &requestHeaderSet{names: map[string]struct{}{}, most: len(headers)}
	for _, name := range headers {
		if name == "*" {
			s.any, s.most = true, 256
			continue
		}
		s.names[name] = struct{}{}
		s.longest = max(s.longest, len(name))
	}
	return s
}

// refusal returns the reason to refuse a preflight that has lines as its
// Access-Control-Request-Headers, or "". Browsers send one line of unique names
// in lower case, sorted and without spaces, but what is between may write it in
// all the ways that a list can be written.
func (s *requestHeaderSet) refusal(lines []string) string {
	names, empty := 0, 0
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			name = textproto.TrimString(name)
			if name == "" {
				empty++
			} else if names++; !s.contains(name) {
				if httpguts.ValidHeaderFieldName(name) {
					return "header"
				}
				return "malformed"
			}
			if names > s.most || empty > maxEmptyElements {
				return "malformed"
			}
		}
	}
	return ""
}

// contains reports whether pages may send a field of that name, in any case.
func (s *requestHeaderSet) contains(name string) bool {
	if len(name) <= s.longest {
		var buffer [64]byte
		lower := buffer[:0]
		for i := range len(name) {
			c := name[i]
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			lower = append(lower, c)
		}
		if _, ok := s.names[string(lower)]; ok {
			return true
		}
	}
	return s.any && httpguts.ValidHeaderFieldName(name) && !strings.EqualFold(name, "authorization")
}
