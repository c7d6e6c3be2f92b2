package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// CORSOrigins are origins as browsers write them
// (https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin), and such
// whose host begins with "*.", which stands for one or more labels. A lone "*"
// is any origin. Empty, it is none, and nil, it is not known.
//
// The scheme may be any, for apps and extensions have their own. There is no
// "null": every sandboxed frame of every site has that origin.
type CORSOrigins []string

// UnmarshalText parses a comma list of origins, or none.
func (o *CORSOrigins) UnmarshalText(text []byte) error {
	*o = CORSOrigins{}
	if string(text) == "none" {
		return nil
	}
	var wrong []error
	for item := range strings.SplitSeq(string(text), ",") {
		item = strings.TrimSpace(item)
		if _, err := parseOrigin(item); item != "*" && err != nil {
			wrong = append(wrong, fmt.Errorf("%q: %w", item, err))
		}
		*o = append(*o, item)
	}
	if len(*o) > 1 && slices.Contains(*o, "*") {
		wrong = append(wrong, errors.New("* is every origin and stands alone"))
	}
	return errors.Join(wrong...)
}

// originPattern is an origin, or all those whose host is below one.
type originPattern struct {
	scheme string
	below  bool   // the host was written behind "*."
	host   string // an IPv6 address without its brackets
	port   string // "" is the scheme's own
}

// maxHost is how long a domain name can be.
const maxHost = 253

// maxOrigin leaves schemes as much room as any has.
const maxOrigin = len("://") + maxHost + len(":65535") + 64

// parseOrigin returns an error unless text is as a browser would write it, but
// for the asterisk: any other way to write it would match no request.
func parseOrigin(text string) (p originPattern, err error) {
	var authority string
	var ok bool
	switch p.scheme, authority, ok = strings.Cut(text, "://"); {
	case text == "null":
		return p, errors.New("any page can come from the origin null, out of a sandboxed frame")
	case len(text) > maxOrigin:
		return p, errors.New("is too long")
	case !ok || authority == "":
		return p, errors.New("must be scheme://host or scheme://host:port, such as https://app.example.com")
	case strings.ToLower(text) != text:
		return p, errors.New("browsers write origins in lower case")
	case !validScheme(p.scheme):
		return p, fmt.Errorf("pages do not come from %s://", p.scheme)
	case strings.ContainsAny(authority, `/\?#`):
		return p, errors.New("an origin ends with its host or port: no slash, path or query")
	case strings.Contains(authority, "@"):
		return p, errors.New("an origin has no user")
	}

	host := authority
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, p.port = authority[:i], authority[i+1:]
		if n, err := strconv.ParseUint(p.port, 10, 16); err != nil || n == 0 || p.port[0] == '0' {
			return p, errors.New("the port must be 1 to 65535, without zeros before it")
		}
	}
	if p.scheme == "https" && p.port == "443" || p.scheme == "http" && p.port == "80" {
		return p, fmt.Errorf("browsers leave out port %s, which is the scheme's own", p.port)
	}
	p.host, p.below = strings.CutPrefix(host, "*.")
	if strings.Contains(p.host, "*") {
		return p, errors.New("* can stand alone or for all labels before a domain: https://*.example.com")
	}
	return p, p.checkHost()
}

// validScheme reports whether pages can have an origin of that scheme.
func validScheme(scheme string) bool {
	switch scheme {
	case "", "about", "blob", "data", "file", "javascript", "ws", "wss": // of which some are null's
		return false
	}
	return scheme[0] >= 'a' && scheme[0] <= 'z' && !strings.ContainsFunc(scheme, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.')
	})
}

// checkHost takes the brackets off an IPv6 address.
func (p *originPattern) checkHost() error {
	address, bracketed := strings.CutPrefix(p.host, "[")
	if bracketed {
		address, bracketed = strings.CutSuffix(address, "]")
	}
	lastLabel := p.host[strings.LastIndexByte(p.host, '.')+1:]
	switch ip, err := netip.ParseAddr(address); {
	case bracketed:
		if err != nil || !ip.Is6() || ip.Is4In6() || ip.Zone() != "" || ip.String() != address || p.below {
			return errors.New("the host must be an IPv6 address in its shortest form")
		}
		p.host = address
	case lastLabel != "" && lastLabel[0] >= '0' && lastLabel[0] <= '9':
		if err != nil || !ip.Is4() || p.below {
			return errors.New("the host must be a domain or an IPv4 address of four numbers")
		}
	case !validLabels(p.host) || len(p.host) > maxHost:
		return errors.New("the host must be a domain of letters, digits, - and _ (as xn-- when it has others) or an IP address")
	case p.below && publicSuffix(p.host) && !p.loopback():
		return fmt.Errorf("anybody can have a name below %s", p.host)
	}
	return nil
}

// validLabels reports whether name is one or more labels of a domain as it is
// written in an origin.
func validLabels(name string) bool {
	start := 0
	for i := range len(name) + 1 {
		if i < len(name) && name[i] != '.' {
			if c := name[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
			continue
		}
		if i == start || i-start > 63 {
			return false
		}
		start = i + 1
	}
	return true
}

// publicSuffix reports whether the names below domain belong to many, as those
// of com, co.uk and fly.dev do, or those one further below, as with run.app. A
// name of one label counts as such.
//
// The list costs the binary 94 kB. A rule of two labels would not do: it lets
// pass what is below a platform's name, where the neighbours are other people.
func publicSuffix(domain string) bool {
	return slices.ContainsFunc([]string{domain, "any." + domain}, func(name string) bool {
		suffix, _ := publicsuffix.PublicSuffix(name)
		return suffix == name
	})
}

// loopback reports whether the host is the machine that the browser runs on.
func (p originPattern) loopback() bool {
	ip, err := netip.ParseAddr(p.host)
	return err == nil && ip.IsLoopback() || p.host == "localhost" || strings.HasSuffix(p.host, ".localhost")
}

// insecure reports whether somebody on the way could write the page. Schemes
// other than http bring pages over TLS or not from the network at all.
func (p originPattern) insecure() bool { return p.scheme == "http" && !p.loopback() }

// originSet says of any text whether it is one of the origins.
type originSet struct {
	any   bool
	exact map[string]struct{}
	below []affixes
}

// affixes are what is before and behind the labels that "*" stands for.
type affixes struct {
	prefix, suffix string
	host           int // length of the host in suffix
}

func newOriginSet(origins CORSOrigins) *originSet {
	s := &originSet{exact: map[string]struct{}{}}
	for _, origin := range origins {
		prefix, suffix, below := strings.Cut(origin, "*.")
		switch {
		case origin == "*":
			s.any = true
		case below:
			p, _ := parseOrigin(origin)
			s.below = append(s.below, affixes{prefix: prefix, suffix: "." + suffix, host: len(".") + len(p.host)})
		default:
			s.exact[origin] = struct{}{}
		}
	}
	return s
}

func (s *originSet) contains(origin string) bool {
	if s.any {
		return true
	}
	if len(origin) > maxOrigin {
		return false
	}
	if _, ok := s.exact[origin]; ok {
		return true
	}
	for _, p := range s.below {
		if rest, ok := strings.CutPrefix(origin, p.prefix); ok {
			if labels, ok := strings.CutSuffix(rest, p.suffix); ok && len(labels)+p.host <= maxHost && validLabels(labels) {
				return true
			}
		}
	}
	return false
}
