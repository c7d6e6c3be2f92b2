package match

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxDepth is how many segments a pattern may have. Of a path no more have to be
// looked at.
const maxDepth = 32

// Pattern is one pattern of a rule. It does not change.
type Pattern struct {
	text     string // as it was written, with one blank at most
	path     string
	methods  []string // sorted, each once; none: all
	host     string   // in normal form, without the asterisk; "": any
	wildcard bool     // host is what follows a label or more
	segments []segment
	end      end
	rest     string // the name of the variable at the end
}

// kind is which values of a segment one of a pattern takes.
type kind uint8

const (
	literal kind = iota
	integer
	uuid
	whatever
)

type segment struct {
	kind kind
	text string // decoded, or the variable's name
}

// end is what may follow the segments of a pattern.
type end uint8

const (
	exact  end = iota // nothing
	rest              // a slash and anything
	prefix            // nothing, or a slash and anything
)

// Path returns the path of the pattern as it was written, which is what telemetry calls
// the route.
func (p *Pattern) Path() string { return p.path }

// String returns the pattern as it was written.
func (p *Pattern) String() string { return p.text }

// Host returns the host that the pattern is for, as it was written but in lower case;
// "" is any.
func (p *Pattern) Host() string {
	if p.wildcard {
		return "*" + p.host
	}
	return p.host
}

// Variables returns the names of the variables, in their order.
func (p *Pattern) Variables() (names []string) {
	for _, s := range p.segments {
		if s.kind != literal {
			names = append(names, s.text)
		}
	}
	if p.rest != "" {
		names = append(names, p.rest)
	}
	return names
}

// binds reports whether p has variables.
func (p *Pattern) binds() bool {
	return p.rest != "" || slices.ContainsFunc(p.segments, func(s segment) bool { return s.kind != literal })
}

// value returns what the variable of that name is in path, which p takes.
func (p *Pattern) value(name, path string) (string, bool) {
	i := slices.IndexFunc(p.segments, func(s segment) bool { return s.kind != literal && s.text == name })
	isRest := i < 0 && p.rest != "" && p.rest == name
	if isRest {
		i = len(p.segments)
	}
	if i < 0 {
		return "", false
	}
	for range i + 1 {
		_, behind, found := strings.Cut(path, "/")
		if !found {
			return "", false
		}
		path = behind
	}
	if !isRest {
		path, _, _ = strings.Cut(path, "/")
	}
	return path, true
}

// Patterns are those of a rule.
type Patterns []*Pattern

// UnmarshalText parses a list of patterns, with commas or line ends between them. Its
// error joins one for each that is wrong.
func (p *Patterns) UnmarshalText(text []byte) error {
	*p = nil
	var all Patterns
	var wrong []error
	for item := range items(string(text)) {
		one, err := parsePattern(item)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%.100q %w", item, err))
			continue
		}
		all = append(all, one)
	}
	if len(wrong) == 0 && all == nil && len(text) > 0 {
		wrong = append(wrong, errNothing)
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	*p = all
	return nil
}

// errNothing is of lists that have nothing in them: a condition that is none would let
// in everybody.
var errNothing = errors.New("has nothing between its commas")

// MarshalText renders the list as UnmarshalText reads it.
func (p Patterns) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func (p Patterns) String() string {
	var texts []string
	for _, one := range p {
		texts = append(texts, one.text)
	}
	return strings.Join(texts, ",")
}

// items yields what stands between commas or line ends, without blanks around it.
func items(list string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for item := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
			if item = strings.TrimSpace(item); item != "" && !yield(item) {
				return
			}
		}
	}
}

// parsePattern parses one pattern. Its error follows the text.
func parsePattern(text string) (*Pattern, error) {
	p := &Pattern{text: strings.Join(strings.Fields(text), " ")}
	rest := p.text
	if methods, behind, found := strings.Cut(rest, " "); found {
		var err error
		if p.methods, err = parseMethods(methods); err != nil {
			return nil, err
		}
		rest = behind
	}
	slash := strings.IndexByte(rest, '/')
	switch {
	case strings.Contains(rest, " "):
		return nil, errors.New("has a blank in it; one stands behind the method, and in a path it is %20")
	case slash < 0:
		return nil, errors.New("has no path; /* takes all paths")
	case strings.Contains(rest, "://"):
		return nil, errors.New("has a scheme; a pattern is [METHOD ][HOST]/PATH")
	}
	var err error
	if p.host, p.wildcard, err = parseHost(rest[:slash]); err != nil {
		return nil, err
	}
	p.path = rest[slash:]
	return p, p.parsePath(p.path)
}

// parseMethods returns the methods of METHOD[|METHOD], and HEAD with GET.
func parseMethods(text string) (methods []string, err error) {
	for method := range strings.SplitSeq(text, "|") {
		switch {
		case method == "":
			return nil, errors.New("has an empty method")
		case strings.Trim(method, capitals+"0123456789-_") != "":
			return nil, fmt.Errorf("has %q for a method; they are in capitals, with | between them, and a blank behind", method)
		case method == "CONNECT":
			return nil, errors.New("has CONNECT, which is not routed")
		}
		methods = append(methods, method)
	}
	if slices.Contains(methods, "GET") {
		methods = append(methods, "HEAD")
	}
	slices.Sort(methods)
	return slices.Compact(methods), nil
}

// parsePath parses what begins with a slash.
func (p *Pattern) parsePath(path string) error {
	if before, found := strings.CutSuffix(path, "/*"); found {
		p.end = prefix
		if path = before; path == "" {
			return nil
		}
	}
	if strings.Count(path, "/") > maxDepth {
		return fmt.Errorf("has more than %d segments", maxDepth)
	}
	names := map[string]bool{}
	parts := strings.Split(path[1:], "/")
	for i, part := range parts {
		isLast := i == len(parts)-1
		if part == "" && !isLast || part == "" && p.end == prefix {
			return errors.New("has an empty segment, which servers read differently")
		}
		s, err := parseSegment(part)
		if err != nil {
			return err
		}
		name, isRest := strings.CutSuffix(s.text, "...")
		if s.kind == literal {
			p.segments = append(p.segments, s)
			continue
		}
		switch {
		case isRest && (!isLast || p.end == prefix):
			return fmt.Errorf("has %s before the end", part)
		case names[name]:
			return fmt.Errorf("has {%s} twice", name)
		}
		names[name] = true
		if isRest {
			p.rest, p.end = name, rest
		} else {
			p.segments = append(p.segments, s)
		}
	}
	return nil
}

// parseSegment parses what stands between two slashes. The name of the variable at
// the end has its dots.
func parseSegment(part string) (segment, error) {
	body, open := strings.CutPrefix(part, "{")
	body, closed := strings.CutSuffix(body, "}")
	switch {
	case !open && !closed && !strings.ContainsAny(part, "{}"):
		text, err := parseLiteral(part)
		return segment{literal, text}, err
	case !open || !closed || strings.ContainsAny(body, "{}"):
		return segment{}, fmt.Errorf("has %s; a variable is a whole segment, as in /{id}/", part)
	case body == "$":
		return segment{}, errors.New("has {$}; a path that ends in a slash is exact without it")
	}
	name, typed, isTyped := strings.Cut(body, ":")
	if !isName(strings.TrimSuffix(name, "...")) {
		return segment{}, fmt.Errorf("has %s; the name of a variable is letters, digits and underscores", part)
	}
	switch {
	case !isTyped:
		return segment{whatever, name}, nil
	case strings.HasSuffix(name, "..."):
	case typed == "int":
		return segment{integer, name}, nil
	case typed == "uuid":
		return segment{uuid, name}, nil
	}
	return segment{}, fmt.Errorf("has %s; {%s:int} and {%s:uuid} are the types of variables", part, name, name)
}

func isName(name string) bool {
	return name != "" && (name[0] < '0' || name[0] > '9') &&
		strings.Trim(name, capitals+"abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// parseLiteral returns a segment decoded. What no request could have without being
// ambiguous is refused.
func parseLiteral(part string) (string, error) {
	if strings.Contains(part, "*") {
		return "", errors.New("has a * before the end; /a/* takes all below /a, and {x} one segment")
	}
	text := make([]byte, 0, len(part))
	for i := 0; i < len(part); {
		c, width := part[i], 1
		if c == '%' {
			if c, width = escaped(part[i:]); width == 0 {
				return "", errors.New("has a % that encodes nothing; itself it is %25")
			}
		}
		if c < ' ' || c == 0x7f || strings.IndexByte(`/\;?#`, c) >= 0 {
			return "", fmt.Errorf("has %q in it, which servers read differently", part[i:i+width])
		}
		text, i = append(text, c), i+width
	}
	switch s := string(text); {
	case s == "." || s == "..":
		return "", errors.New("has a segment of dots, which servers read differently")
	case len(s) > maxLiteral:
		return "", fmt.Errorf("has a segment of more than %d bytes", maxLiteral)
	default:
		return s, nil
	}
}
