package balancer

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"spangate/balancer/identity"
	"spangate/handler/config"
	"spangate/handler/fault"
)

// authOptions are what a member's options say of the token that it is shown. One that is
// empty leaves the variable BACKEND_AUTH… in force.
type authOptions struct {
	kind     identity.Kind
	audience identity.Audience
}

func (o *authOptions) parse(key, value string) error {
	var err error
	if key == "auth" {
		err = o.kind.UnmarshalText([]byte(value))
	} else {
		err = o.audience.UnmarshalText([]byte(value))
	}
	if err != nil {
		return fmt.Errorf("%s %q %w", key, value, err)
	}
	return nil
}

func (o *authOptions) append(b []byte) []byte {
	if o.kind != "" {
		b = fmt.Appendf(b, ";auth=%s", o.kind)
	}
	if o.audience != "" {
		b = fmt.Appendf(b, ";audience=%s", o.audience)
	}
	return b
}

// purpose returns what the token is for that m is shown.
func (c *Config) purpose(m Member) identity.Purpose {
	p := identity.Purpose{Kind: cmp.Or(m.auth.kind, c.Auth.Kind), Audience: string(cmp.Or(m.auth.audience, c.Auth.Audience))}
	if p.Kind == identity.Google && p.Audience == "" && m.url != nil && m.socket == "" {
		// As clients write it, without the dot of a name that is looked up as it stands:
		// Cloud Run knows its services by this.
		host := strings.Replace(m.url.Host, m.url.Hostname(), strings.TrimSuffix(m.url.Hostname(), "."), 1)
		if portOf(m.url) == map[string]string{"http": "80", "https": "443"}[m.url.Scheme] {
			host = strings.TrimSuffix(host, ":"+m.url.Port())
		}
		p.Audience = m.url.Scheme + "://" + strings.ToLower(host)
	}
	return p
}

// checkAuth returns what is wrong with the token that m, a member of list, is shown. Who
// reads a token can use it: it goes over TLS, or no farther than this host or a network
// of its own.
func (c *Config) checkAuth(m Member, list *Members) error {
	p := c.purpose(m)
	wrong := func(format string, args ...any) error {
		return config.Wrong(config.Fields{list}, "backend %q: "+format, append([]any{m.Name}, args...)...)
	}
	if p.Kind.Field() == "" {
		if m.auth.audience != "" {
			return wrong("audience is of no use without auth, or %s", &c.Auth.Kind)
		}
		return nil
	}
	by := any(&c.Auth.Kind)
	if m.auth.kind != "" {
		by = list
	}
	errs := []error{c.Auth.Missing(p.Kind, by)}
	switch {
	case m.route != "":
	case m.scheme == "echo":
		errs = append(errs, wrong("answers with what it is sent, and must not be sent a token (%s): auth=none spares it", p.Kind))
	case p.Kind == identity.Google && p.Audience == "":
		errs = append(errs, wrong("auth=%s needs audience=: whom the token is for does not follow from a socket", p.Kind))
	case c.exposure(m) == identity.Public && m.scheme == "https":
		errs = append(errs, wrong("a token (%s) must not go to whoever answers: leave out tls-verify=off", p.Kind))
	case c.exposure(m) == identity.Public:
		errs = append(errs, wrong("a token (%s) must not go over the network in the clear: use https; http is for hosts of this machine or a private network", p.Kind))
	}
	return errors.Join(errs...)
}

// exposure returns how far a token gets that m is sent.
func (c *Config) exposure(m Member) identity.Exposure {
	if m.socket != "" || m.url == nil || m.scheme == "https" && m.tls.verify != verifyOff {
		return identity.ThisHost
	}
	return identity.Exposed(m.url.Hostname())
}

// InTheClear returns the names of the members that are sent tokens which others on a
// private network can read.
func (c *Config) InTheClear() (names []string) {
	for _, m := range c.Backends {
		if c.purpose(m).Kind.Field() != "" && c.exposure(m) == identity.Private {
			names = append(names, m.Name)
		}
	}
	return names
}

// Fields returns the names of the fields that backends are sent tokens in: nobody else
// can send them one there.
func (c *Config) Fields(backends Members) (names []string) {
	for _, m := range backends {
		if name := c.purpose(m).Kind.Field(); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// signer returns what gives attempts at backends of m their token, nil if that is nothing.
func (p *Pool) signer(m Member) *identity.Signer {
	return p.identities.Signer(p.cfg.Auth, p.cfg.purpose(m), p.hooks.Identity)
}

// sign returns r as the backend is to be sent it, and the token that it has. The time in
// which a token is waited for is not the attempt's: what is left is the backend's.
func (b *Backend) sign(r *http.Request) (*http.Request, identity.Token, error) {
	if try, ok := r.Context().(*try); ok {
		try.pause()
		defer try.run()
	}
	return b.signer.Sign(r)
}

// alike returns the backends that are ready for which there is no token either, as there
// was none for b.
func (p *Pool) alike(b *Backend, err *fault.Error) (all []*Backend) {
	if err == nil || err.Type != fault.IdentityError {
		return nil
	}
	for _, other := range p.Ready() {
		if other != b && b.signer.Alike(other.signer) {
			all = append(all, other)
		}
	}
	return all
}
