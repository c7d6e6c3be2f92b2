package certificate

import (
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Set is certificates of which one is chosen for each client, by the name that it
// asks for (RFC 6066 §3). It does not change. The zero value holds none.
type Set struct {
	all    []*element
	byName map[string][]*element // in small letters; a wildcard is one of them
}

// element is a certificate of a [Set].
type element struct {
	*tls.Certificate
	bare  *tls.Certificate // without its staple
	until time.Time        // when the staple has expired; zero: it does not, or is not there
}

// shown returns the certificate as it is shown now: clients turn away who staples what
// has expired.
func (e *element) shown() *tls.Certificate {
	if e.until.IsZero() || time.Now().Before(e.until) {
		return e.Certificate
	}
	return e.bare
}

// NewSet returns the set of these, each with its Leaf. One that has no names is for
// the common name of its subject, as it was before there were others.
func NewSet(all []tls.Certificate) *Set {
	s := &Set{byName: map[string][]*element{}}
	for i := range all {
		bare := all[i]
		bare.OCSPStaple = nil
		e := &element{Certificate: &all[i], bare: &bare}
		if response, err := ocsp.ParseResponseForCert(e.OCSPStaple, e.Leaf, nil); err == nil {
			e.until = response.NextUpdate
		}
		s.all = append(s.all, e)
		info := Of(e.Leaf)
		names := info.Names
		if len(names) == 0 {
			names = []string{info.Name}
		}
		for _, name := range names {
			name = strings.ToLower(name)
			s.byName[name] = append(s.byName[name], e)
		}
	}
	return s
}

// For returns the certificate for the name that a client asks for, as it is or by a
// wildcard for its first label (RFC 9525 §6.3); among several the first that the
// client can verify. Who asks for none, as there is none for an address, gets the
// one for the address that it came to. It returns nil where there is none.
func (s *Set) For(hello *tls.ClientHelloInfo) *tls.Certificate {
	name := strings.TrimSuffix(strings.ToLower(hello.ServerName), ".")
	if name == "" && hello.Conn != nil {
		name, _, _ = net.SplitHostPort(hello.Conn.LocalAddr().String())
	}
	if c := fit(s.byName[name], hello); c != nil {
		return c
	}
	if _, parent, found := strings.Cut(name, "."); found {
		return fit(s.byName["*."+parent], hello)
	}
	return nil
}

// Any returns the certificate for clients that ask for no name, or for one that
// nobody has: the first. It returns nil where there is none.
func (s *Set) Any(hello *tls.ClientHelloInfo) *tls.Certificate { return fit(s.all, hello) }

// fit returns the first that the client can verify, or else the first.
func fit(all []*element, hello *tls.ClientHelloInfo) *tls.Certificate {
	if len(all) == 0 {
		return nil
	}
	if len(all) > 1 {
		asked := *hello
		asked.ServerName = "" // which has been looked at
		for _, c := range all {
			if asked.SupportsCertificate(c.Certificate) == nil {
				return c.shown()
			}
		}
	}
	return all[0].shown()
}

// Infos returns what there is to know of each.
func (s *Set) Infos() (all []Info) {
	for _, c := range s.all {
		all = append(all, Of(c.Leaf))
	}
	return slices.Clip(all)
}
