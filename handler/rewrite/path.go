package rewrite

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/fault"
)

// Prefix is whole segments at the beginning of a path, without a slash behind them: /v1.
// Empty, it is none.
type Prefix string

// UnmarshalText parses a prefix. A slash at its end means nothing.
func (p *Prefix) UnmarshalText(text []byte) error {
	path := strings.TrimSuffix(string(text), "/")
	switch {
	case !strings.HasPrefix(path, "/"):
		return errors.New("must begin with a slash, and name a segment")
	case strings.ContainsAny(path, "?{}*"):
		return errors.New("must be a path without a query, placeholders or *")
	}
	if err := checkPath(path); err != nil {
		return err
	}
	*p = Prefix(path)
	return nil
}

// checkPath returns what is wrong with the text of a path, or of a part of one.
func checkPath(path string) error {
	if !isURI(path) {
		return errors.New("has a character that must be percent-encoded in a path")
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return errors.New("has a percent sign that encodes nothing")
	}
	if strings.Contains(path, "//") {
		return errors.New("has an empty segment")
	}
	for segment := range strings.SplitSeq(decoded, "/") {
		if segment == "." || segment == ".." {
			return errors.New("has a segment of dots")
		}
	}
	return nil
}

// cut returns what follows the segments of p at the beginning of path, as it stands
// there, and whether they are there, in whatever spelling.
func (p Prefix) cut(path string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(path, string(p)); ok && (rest == "" || rest[0] == '/') {
		return rest, true
	}
	if !strings.Contains(path, "%") && !strings.Contains(string(p), "%") {
		return path, false
	}
	rest = path
	for wanted := range strings.SplitSeq(string(p[1:]), "/") {
		behind, ok := strings.CutPrefix(rest, "/")
		if !ok {
			return path, false
		}
		segment, _, _ := strings.Cut(behind, "/")
		if !sameSegment(segment, wanted) {
			return path, false
		}
		rest = behind[len(segment):]
	}
	return rest, true
}

// sameSegment reports whether two segments are spellings of one.
func sameSegment(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := url.PathUnescape(a)
	y, errY := url.PathUnescape(b)
	return errX == nil && errY == nil && x == y
}

// PathTemplate is a [Template] of path and query. What stands before its first question
// mark, or {?}, is the path.
type PathTemplate struct{ Template }

// UnmarshalText parses a template that begins with a slash.
func (t *PathTemplate) UnmarshalText(text []byte) error {
	var parsed Template
	if err := parsed.UnmarshalText(text); err != nil {
		return err
	}
	if !strings.HasPrefix(parsed.lead(), "/") && (len(parsed.parts) == 0 || parsed.parts[0].name != "path") {
		return errors.New("must begin with a slash")
	}
	if err := parsed.checkTarget(); err != nil {
		return err
	}
	t.Template = parsed
	return nil
}

// checkTarget returns what is wrong with the text of path and query.
func (t Template) checkTarget() error {
	inQuery := false
	for _, p := range t.parts {
		behind, asks := p.literal, false
		if !inQuery {
			var path string
			path, behind, asks = strings.Cut(p.literal, "?")
			if err := checkPath(path); err != nil {
				return err
			}
		}
		switch {
		case p.name == query && inQuery:
			return errors.New("has a {?} behind a question mark; {query} goes there")
		case p.name == "query" && !inQuery:
			return errors.New("has a {query} before any question mark; {?} has its own")
		case strings.Contains(behind, "?"):
			return errors.New("has a second question mark")
		case !isURI(behind):
			return errors.New("has a character that must be percent-encoded in a query")
		}
		inQuery = inQuery || asks || p.name == query
	}
	return nil
}

// isURI reports whether a URI may hold text as it is.
func isURI(text string) bool { return string(handler.AppendURI(nil, text)) == text }

// Path says what path a backend is asked for. It is a route's own: its zero value asks
// for the client's.
type Path struct {
	Strip     Prefix       `env:"STRIP" zero:"nothing" doc:"path prefix, such as /v1, that backends do not see: whole segments, which X-Forwarded-Prefix tells them"`
	AddPrefix Prefix       `env:"ADD_PREFIX" zero:"nothing" doc:"path prefix, such as /internal, that backends see before the path, once STRIP is taken off it"`
	Rewrite   PathTemplate `env:"REWRITE" zero:"as it came" doc:"path and query that backends see, such as /v2/users/{id}{?}, with the variables of the pattern, and {path}, {query} and {?}, which is the query with its question mark; without {?} or {query} they see none"`
}

func (p *Path) isZero() bool { return p.Strip == "" && p.AddPrefix == "" && p.Rewrite.IsZero() }

// Check returns what is wrong with values that are right by themselves, for a route that
// takes requests by patterns, of which it has the paths: /api/*, /users/{id}.
func (p *Path) Check(patterns []string) error {
	var wrong []error
	if !p.Rewrite.IsZero() {
		for _, prefix := range []*Prefix{&p.Strip, &p.AddPrefix} {
			if *prefix != "" {
				wrong = append(wrong, config.Wrong(prefix, "goes with no %s, which says the whole path", &p.Rewrite))
			}
		}
		wrong = append(wrong, config.WrongFor(&p.Rewrite, p.Rewrite.unknown(patterns)))
	}
	for _, pattern := range patterns {
		if why := p.Strip.notIn(pattern); why != "" {
			wrong = append(wrong, config.Wrong(&p.Strip, "%s %s with it", pattern, why))
		}
	}
	return errors.Join(wrong...)
}

// notIn says that not all paths that a pattern takes begin with p: "" if they do.
func (p Prefix) notIn(pattern string) string {
	if p == "" {
		return ""
	}
	segments, why := strings.Split(pattern[1:], "/"), ""
	for i, wanted := range strings.Split(string(p[1:]), "/") {
		switch {
		case i == len(segments):
			return "never begins"
		case segments[i] == "*", strings.HasSuffix(segments[i], "...}"):
			return "does not always begin"
		case strings.HasPrefix(segments[i], "{"):
			why = "does not always begin"
		case !sameSegment(segments[i], wanted):
			return "never begins"
		}
	}
	return why
}

// errClimbs is of paths whose dots lead out of what is put before them: a backend that
// resolves them would be asked for something else than the route is about.
const errClimbs = fault.Phrase("The path leaves the place that it is about.")

// rewrite has out ask for what p says, and returns that path, as it is sent.
func (p *Path) rewrite(out *http.Request, v *Values) (path string, err error) {
	path = v.path
	rest := "" // what comes of the client
	switch {
	case !p.Rewrite.IsZero():
		var room [256]byte
		target, query, asks := strings.Cut(string(p.Rewrite.Append(room[:0], v)), "?")
		out.URL.RawQuery, out.URL.ForceQuery = query, asks
		path = rooted(target)
		rest = path[min(strings.LastIndexByte(p.Rewrite.lead(), '/')+1, len(path)):]
	default:
		if p.Strip != "" {
			if behind, ok := p.Strip.cut(path); ok {
				tellPrefix(out.Header, string(p.Strip))
				path = rooted(behind)
			}
		}
		rest = path
		path = string(p.AddPrefix) + path
	}
	decoded, err := url.PathUnescape(path)
	switch {
	case climbs(rest):
		return "", &fault.Error{Type: fault.MalformedRequest, Err: errClimbs}
	case err != nil:
		return "", &fault.Error{Type: fault.MalformedRequest, Err: err}
	}
	out.URL.Path, out.URL.RawPath = decoded, path
	return path, nil
}

// rooted returns path with one slash at its beginning: of two nobody shall take what
// follows for a host, nor of one and a backslash, which browsers take for a slash.
func rooted(path string) string {
	if len(path) > 1 && path[0] == '/' && path[1] != '/' && path[1] != '\\' {
		return path
	}
	return "/" + strings.TrimLeft(path, `/\`)
}

const forwardedPrefix = "X-Forwarded-Prefix"

// tellPrefix adds to what header says of the prefixes that proxies took off a path. The
// proxies before this one, which are trusted, have said theirs; what backends
// understand, the old ones too, is one path of all.
func tellPrefix(header http.Header, prefix string) {
	var said strings.Builder
	for _, line := range header[forwardedPrefix] {
		for path := range strings.SplitSeq(line, ",") {
			if path = strings.TrimRight(strings.Trim(path, " \t"), "/"); path != "" && path == rooted(path) {
				said.WriteString(path)
			}
		}
	}
	header[forwardedPrefix] = []string{said.String() + prefix}
}
