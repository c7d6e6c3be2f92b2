package rewrite

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"spangate/handler"
)

// URLTemplate is a [Template] of a URL: of http or https, or a path, which is of the host
// that the client asked. Of the host nothing but {host} may come from a request, and
// nothing may come behind it that could be taken for a part of it.
type URLTemplate struct {
	Template
	isPath   bool
	asksHost bool // {host} is in it
}

// UnmarshalText parses such a template.
func (t *URLTemplate) UnmarshalText(text []byte) error {
	parsed := URLTemplate{}
	if err := parsed.Template.UnmarshalText(text); err != nil {
		return err
	}
	lead := strings.ToLower(parsed.lead())
	scheme := len("https://")
	switch {
	case strings.HasPrefix(lead, "http://"):
		scheme = len("http://")
	case strings.HasPrefix(lead, "https://"):
	case strings.HasPrefix(lead, "/") && !strings.HasPrefix(lead, "//"), lead == "" && len(parsed.parts) > 0 && parsed.parts[0].name == "path":
		parsed.isPath, scheme = true, 0
	default:
		return errors.New("must be a path, or a URL of http or https")
	}
	for name := range parsed.names() {
		parsed.asksHost = parsed.asksHost || name == "host"
	}
	rest := parsed.Template
	if !parsed.isPath {
		var err error
		if rest, err = parsed.behindAuthority(scheme); err != nil {
			return err
		}
	}
	target, err := rest.withoutFragment()
	if err == nil {
		err = target.checkTarget()
	}
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// behindAuthority returns what follows the authority, which begins at a byte of the first
// part, as a template.
func (t Template) behindAuthority(begin int) (Template, error) {
	var rest Template
	var authority strings.Builder
	for i, p := range t.parts {
		if i == 0 {
			p.literal = p.literal[begin:]
		}
		end := strings.IndexAny(p.literal, "/?#")
		switch {
		case p.name == "host":
			authority.WriteString("host")
			continue
		case p.name != "" && p.name != "path" && p.name != query:
			return rest, errors.New("has a placeholder in its host other than {host}, or right behind it; a slash ends the host")
		case p.name == "" && end < 0:
			authority.WriteString(p.literal)
			continue
		case p.name == "":
			authority.WriteString(p.literal[:end])
			rest.parts = append(rest.parts, part{literal: p.literal[end:]})
		default:
			rest.parts = append(rest.parts, p)
		}
		rest.parts = append(rest.parts, t.parts[i+1:]...)
		break
	}
	u, err := url.Parse("http://" + authority.String())
	if err != nil || u.Host != authority.String() || u.Hostname() == "" || !isURI(authority.String()) {
		return rest, errors.New("must name a host, with a port if need be, and nothing else before the path")
	}
	return rest, nil
}

// withoutFragment returns the template up to the number sign, and what is wrong with what
// is behind that.
func (t Template) withoutFragment() (before Template, err error) {
	inFragment := false
	for _, p := range t.parts {
		if !inFragment {
			text, fragment, begins := strings.Cut(p.literal, "#")
			before.parts = append(before.parts, part{literal: text, name: p.name})
			inFragment, p.literal = begins, fragment
		}
		if inFragment && !isURI(p.literal) {
			err = errors.New("has a character that must be percent-encoded in a fragment")
		}
	}
	return before, err
}

// Unknown returns an error for each name in t that is neither that of a value nor a
// variable of each of the patterns, of which it has the paths.
func (t *URLTemplate) Unknown(patterns []string) error { return t.unknown(patterns) }

// Is reports whether t is the very path that a pattern is, whatever its variables are.
func (t *URLTemplate) Is(pattern string) bool {
	text := strings.TrimSuffix(t.text, "{"+query+"}")
	if !t.isPath || text == "{path}" {
		return t.isPath
	}
	var b strings.Builder
	for i, piece := range strings.Split(pattern, "{") {
		if i == 0 {
			b.WriteString(piece)
			continue
		}
		name, behind, _ := strings.Cut(piece, "}")
		b.WriteString("{" + bare(name) + "}" + behind)
	}
	return text == b.String()
}

// Expand returns the URL for a request; not ok where it needs a host, and the request has
// none.
func (t *URLTemplate) Expand(v *Values) (location string, ok bool) {
	if t.asksHost && v.host() == "" {
		return "", false
	}
	var room [512]byte
	location = string(t.Append(room[:0], v))
	if t.isPath {
		location = rooted(location)
	}
	return location, true
}

// AskedFor reports whether location is where the client is already: whether whoever is
// sent there by an answer of that status sends the same request again.
func (v *Values) AskedFor(location string, status int) bool {
	switch {
	case status == http.StatusTemporaryRedirect, status == http.StatusPermanentRedirect:
	case v.request.Method != http.MethodGet && v.request.Method != http.MethodHead:
		return false // a GET comes of it
	}
	location, _, _ = strings.Cut(location, "#")
	before, rest := authorityOf(location)
	if scheme, authority, ok := strings.Cut(before, "://"); ok {
		client := handler.ClientOf(v.request)
		if !strings.EqualFold(scheme, client.Scheme) || !sameAuthority(authority, client.Scheme, client.Host, client.Scheme) {
			return false
		}
	}
	path, asked, asks := strings.Cut(rest, "?")
	return (path == v.path || path == "" && v.path == "/") && asked == v.query && asks == v.asks
}
