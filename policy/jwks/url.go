package jwks

import (
	"errors"
	"net/netip"
	"net/url"
)

// URL says where a key set is. Whoever could change it on its way could sign
// anything, so that it is an https URL, or an http one of this host's own
// loopback interface.
type URL string

// Check returns what is wrong with the URL, and shows nothing of it.
func (u URL) Check() error {
	parsed, err := url.Parse(string(u))
	if err != nil || parsed.Hostname() == "" {
		return errors.New("must be a URL such as https://issuer.example/.well-known/jwks.json")
	}
	var wrong []error
	if parsed.Fragment != "" {
		wrong = append(wrong, errors.New("must not have a fragment"))
	}
	if parsed.Scheme != "https" && !(parsed.Scheme == "http" && isLoopback(parsed.Hostname())) {
		wrong = append(wrong, errors.New("must be https, or http on localhost"))
	}
	return errors.Join(wrong...)
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
