package balancer

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"spangate/handler/wire/proxyproto"
)

// Members is the list of configured backends. As text it is a comma list of
// URLs, each followed by options: "http://a:3000;weight=3,echo:b". A scheme
// that begins with dns+ makes a member stand for all that its name leads to. "@api"
// stands for those of the route of that name, see [Members.Route].
type Members []Member

// Route returns the name of the route whose backends m stands for, or "": it has its
// own.
func (m Members) Route() string {
	if len(m) != 1 {
		return ""
	}
	return m[0].route
}

// Names returns the names of all.
func (m Members) Names() (all []string) {
	for _, member := range m {
		all = append(all, member.Name)
	}
	return all
}

// Member is one configured backend.
type Member struct {
	Name    string             // as written, without options
	scheme  string             // http, https, h2c, http+unix or echo; without dns+
	url     *url.URL           // what to request: http or https, an authority, a path prefix; nil for echo
	socket  string             // for http+unix: the socket's path
	zoned   string             // for an IPv6 address with a zone: what to dial, as the zone is no part of url
	echo    string             // for echo: the name that it answers with
	Weight  int                // 1 unless given
	host    HostRule           // empty unless given: the value of BACKEND_HOST holds
	service string             // empty unless given: what its telemetry calls itself
	proxy   proxyproto.Version // 0 unless given: connections begin with no header of the PROXY protocol
	tls     tlsOptions
	auth    authOptions
	lookup  string // for dns+ schemes: the name to look up; the other fields hold for each backend found
	srv     bool   // for dns+srv schemes: lookup has SRV records, else addresses
	route   string // for @NAME: whose backends are meant; there is nothing else then
}

// String returns the name.
func (m Member) String() string { return m.Name }

const maxWeight = 1000

// UnmarshalText parses a list of backends. Its error joins one for each entry
// at fault, which it names.
func (m *Members) UnmarshalText(text []byte) error {
	*m = nil
	if name, ok := strings.CutPrefix(string(text), "@"); ok && !strings.ContainsAny(name, ",;") {
		*m = Members{{Name: string(text), route: name}}
		return nil
	}
	var wrong []error
	var empty error
	seen, several := map[string]string{}, strings.Contains(string(text), ",")
	for entry := range strings.SplitSeq(string(text), ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			empty = errors.New("has an empty entry; a list looks like http://a:3000,http://b:3000")
			continue
		}
		member, err := parseMember(entry)
		if err == nil && several {
			identity := member.identity()
			if first := seen[identity]; first != "" {
				err = fmt.Errorf("is listed twice, first as %q; to give it a larger share write %s;weight=2", first, member.Name)
			} else {
				seen[identity] = entry
			}
		}
		if err != nil {
			wrong = append(wrong, ofBackend(entry, err)...)
			continue
		}
		*m = append(*m, member)
	}
	return errors.Join(append(wrong, empty)...)
}

// ofBackend returns the faults that err joins, the entry before each.
func ofBackend(entry string, err error) (faults []error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			faults = append(faults, ofBackend(entry, err)...)
		}
		return faults
	}
	return []error{fmt.Errorf("backend %q: %w", redactUserinfo(entry), err)}
}

// identity is the same for two ways to write one backend.
func (m Member) identity() string {
	if m.url == nil || m.socket != "" {
		return m.scheme + ":" + m.echo + m.socket
	}
	host := strings.ToLower(m.url.Hostname())
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.String()
	}
	return m.scheme + "://" + cmp.Or(m.zoned, net.JoinHostPort(host, portOf(m.url))) + m.url.EscapedPath()
}

func portOf(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

// redactUserinfo keeps a password, which a URL here must not have, out of the
// message that says so.
func redactUserinfo(entry string) string {
	return regexp.MustCompile(`//[^/?#;]*@`).ReplaceAllString(entry, "//***@")
}

// hasBareZone reports whether the zone of an address stands behind a % that is not
// encoded, as a URL must have it.
func hasBareZone(text string) bool {
	return regexp.MustCompile(`//\[[0-9A-Fa-f:.]+%(2[^5]|[^2]|25\])`).MatchString(text)
}

func parseMember(entry string) (Member, error) {
	name, options, _ := strings.Cut(entry, ";")
	m := Member{Name: name, Weight: 1}
	if strings.HasPrefix(name, "@") {
		return Member{}, errors.New("must stand alone: it is all the backends of another route")
	}
	scheme, rest, ok := strings.Cut(name, ":")
	if !ok {
		return Member{}, fmt.Errorf("must be a URL such as http://%s", name)
	}
	m.scheme = strings.ToLower(scheme)
	var err error
	switch m.scheme {
	case "http", "https", "h2c":
		if m.url, err = parseBackendURL(m.scheme, name); err == nil {
			m.zoned = cutZone(m.url)
		}
	case "dns+http", "dns+https", "dns+h2c":
		m.scheme = strings.TrimPrefix(m.scheme, "dns+")
		m.url, m.lookup, err = parseAddressName(m.scheme, name)
	case "dns+srv", "dns+srv+https", "dns+srv+h2c":
		m.scheme = cmp.Or(strings.TrimPrefix(strings.TrimPrefix(m.scheme, "dns+srv"), "+"), "http")
		m.srv = true
		m.url, m.lookup, err = parseServiceName(m.scheme, name)
	case "http+unix":
		m.url, m.socket, err = parseSocket(rest)
	case "echo":
		m.echo = rest
		if !isEchoName(rest) {
			err = errors.New("the name of an echo backend must be 1 to 63 letters, digits, dots, dashes or underscores")
		}
	default:
		if _, perr := strconv.Atoi(rest); perr == nil {
			return Member{}, fmt.Errorf("must be a URL such as http://%s", name)
		}
		err = fmt.Errorf("scheme %q must be http, https, h2c, http+unix or echo, or dns+ with http, https, h2c, srv, srv+https or srv+h2c", scheme)
	}
	return m, errors.Join(err, m.parseOptions(options))
}

// parseBackendURL returns what to request of a backend. Its error joins all that
// is wrong with the URL.
func parseBackendURL(scheme, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil && hasBareZone(text):
		return nil, errors.New("the zone of an address is written behind %25, as in http://[fe80::1%25eth0]:3000")
	case err != nil, u.Opaque != "":
		return nil, errors.New("must be a URL such as http://app:3000; what its host or path cannot hold is written as % and two digits")
	}
	var wrong []error
	if u.User != nil {
		wrong = append(wrong, errors.New("must not carry credentials"))
	}
	if u.RawQuery != "" || u.ForceQuery {
		wrong = append(wrong, errors.New("must not have a query"))
	}
	if u.Fragment != "" {
		wrong = append(wrong, errors.New("must not have a fragment"))
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			wrong = append(wrong, fmt.Errorf("port %q must be 1 to 65535", port))
		}
	} else if strings.HasSuffix(u.Host, ":") && u.Hostname() != "" {
		wrong = append(wrong, errors.New("has a colon but no port"))
	}
	if u.Hostname() == "" {
		wrong = append(wrong, errors.New("has no host"))
	} else {
		wrong = append(wrong, checkHost(u))
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	if scheme == "h2c" {
		scheme = "http"
	}
	authority := url.URL{Scheme: scheme, Host: u.Host} // which as a text encodes a zone again
	return url.Parse(authority.String() + strings.TrimRight(u.EscapedPath(), "/"))
}

// cutZone takes the zone of an IPv6 address out of u's authority and returns what
// to dial instead, or "" where there is none. A zone means nothing beyond this
// host: it is no part of Host fields (RFC 6874 §4), certificates and labels.
func cutZone(u *url.URL) string {
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil || addr.Zone() == "" {
		return ""
	}
	u.Host = strings.Replace(u.Host, "%"+addr.Zone(), "", 1)
	return net.JoinHostPort(addr.String(), portOf(u))
}

// parseAddressName reads a URL whose name has an address for each backend, and
// returns what to request of them and the name to look up.
func parseAddressName(scheme, text string) (*url.URL, string, error) {
	u, err := parseBackendURL(scheme, text)
	if err != nil {
		return nil, "", err
	}
	name := u.Hostname()
	if _, err := netip.ParseAddr(name); err == nil {
		return nil, "", fmt.Errorf("%s is an address, of which there is nothing to look up: leave dns+ out", name)
	}
	// A dot at the end keeps a lookup from trying search domains. It is no part
	// of the name in Host fields and certificates.
	u.Host = strings.Replace(u.Host, name, strings.TrimSuffix(name, "."), 1)
	if u.Hostname() == "" {
		return nil, "", errors.New("has no host")
	}
	return u, name, nil
}

// parseServiceName reads a URL whose name has SRV records, such as
// _http._tcp.app.example. What is requested of the backends, and stands in their
// certificates, is the name of the domain that the service is looked up in:
// that of a record's target is DNS's word only (RFC 9525 §6.1).
func parseServiceName(scheme, text string) (*url.URL, string, error) {
	u, name, err := parseAddressName(scheme, text)
	switch {
	case err != nil:
		return nil, "", err
	case u.Port() != "":
		return nil, "", errors.New("must not have a port: SRV records tell it")
	case scheme == "http" && strings.HasPrefix(strings.ToLower(name), "_https."):
		return nil, "", errors.New("names a service of TLS: write dns+srv+https")
	}
	for strings.HasPrefix(u.Host, "_") {
		_, u.Host, _ = strings.Cut(u.Host, ".")
	}
	if u.Host == "" {
		return nil, "", errors.New("has no domain after the service: _http._tcp.app.example")
	}
	return u, name, nil
}

// checkHost refuses a host that no lookup could find.
func checkHost(u *url.URL) error {
	host := u.Hostname()
	_, err := netip.ParseAddr(host)
	switch {
	case err == nil:
		return nil
	case strings.HasPrefix(u.Host, "["):
		return fmt.Errorf("%s is not an IPv6 address", u.Host)
	case strings.Trim(host, "0123456789.") == "":
		return fmt.Errorf("%s is not an IPv4 address", host)
	case !isHostName(host):
		return fmt.Errorf("%q cannot be the name of a host", host)
	}
	return nil
}

// parseSocket reads what follows "http+unix:": the path of a socket.
func parseSocket(rest string) (*url.URL, string, error) {
	path := strings.TrimPrefix(rest, "//")
	if !strings.HasPrefix(path, "/") {
		return nil, "", errors.New("must name a socket by its absolute path: http+unix:///run/app.sock")
	}
	return &url.URL{Scheme: "http", Host: "localhost"}, path, nil
}
