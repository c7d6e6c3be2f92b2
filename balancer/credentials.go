package balancer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"spangate/handler/certificate"
	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/reload"
	"spangate/handler/supervise"
)

// credentialFiles are those that handshakes with a backend go by. Empty ones are
// not there.
type credentialFiles struct{ authorities, certificate, key string }

func (f credentialFiles) paths() []string {
	return slices.DeleteFunc([]string{f.authorities, f.certificate, f.key}, func(path string) bool { return path == "" })
}

// credentials are what they say.
type credentials struct {
	authorities *x509.CertPool   // nil: the system's
	shown       *tls.Certificate // nil: none
}

// filesOf returns those that hold for m.
func (c *Config) filesOf(m Member) credentialFiles {
	f := credentialFiles{cmp.Or(m.tls.caFile, c.CAFile), c.CertFile, c.KeyFile}
	if m.tls.certFile != "" {
		f.certificate, f.key = m.tls.certFile, m.tls.keyFile
	}
	return f
}

// load reads the files that hold for m, a member of list. Its error joins all that is
// wrong with them.
// What cannot be used of them, or has expired, is as it was before, if there is a
// before, and holds up nothing else.
func (c *Config) load(m Member, list *Members, before *credentials) (*credentials, error) {
	files, loaded := c.filesOf(m), &credentials{}
	if files == (credentialFiles{}) {
		return loaded, nil
	}
	if before == nil {
		before = &credentials{}
	}
	var errs []error
	wrong := func(err error, ofMember bool, option string, fields ...any) {
		switch {
		case err == nil:
		case ofMember:
			errs = append(errs, config.Wrong(config.Fields{list}, "backend %q: %s: %w", m.Name, option, err))
		default:
			errs = append(errs, config.Wrong(config.Fields(fields), "%w", err))
		}
	}
	var err error
	if files.authorities != "" {
		if loaded.authorities, err = certificate.Authorities(files.authorities); err != nil {
			loaded.authorities = before.authorities
		}
		wrong(err, m.tls.caFile != "", "ca-file", &c.CAFile)
	}
	if files.certificate != "" {
		var earlier tls.Certificate
		if before.shown != nil {
			earlier = *before.shown
		}
		pair, err := certificate.LoadAfter(earlier, files.certificate, files.key)
		about := []any{&c.CertFile}
		if files.key != "" {
			about = append(about, &c.KeyFile)
		}
		wrong(err, m.tls.certFile != "", "cert-file", about...)
		loaded.shown = &pair
	}
	return loaded, errors.Join(errs...)
}

// Check returns what is wrong with the files that the configuration names, and with
// tokens for backends: all that [New] would refuse.
func (c *Config) Check() error {
	_, err := c.load(Member{}, &c.Backends, nil)
	return errors.Join(err, c.check(&c.Backends))
}

// check returns what is wrong with the files that hold for the members of list, which
// may be others than c's, and with the tokens that these are to be shown.
func (c *Config) check(list *Members) error {
	var errs []error
	for _, m := range *list {
		if m.scheme == "https" {
			_, err := c.load(m, list, nil)
			errs = append(errs, err)
		}
		errs = append(errs, c.checkAuth(m, list))
	}
	return errors.Join(errs...)
}

// Unverified returns the names of the members whose certificates nobody verifies.
func (c *Config) Unverified() (names []string) {
	for _, m := range c.Backends {
		if m.tls.verify == verifyOff {
			names = append(names, m.Name)
		}
	}
	return names
}

// Certificates returns what there is to know of those that backends are shown.
func (p *Pool) Certificates() (all []certificate.Info) {
	for _, files := range p.keyring {
		if shown := files.Get().shown; shown != nil {
			all = append(all, certificate.Of(shown.Leaf))
		}
	}
	return all
}

// keyring is what files say of handshakes with backends. Backends that have the same
// files share it.
type keyring map[credentialFiles]*reload.Files[*credentials]

// readFiles reads all that members need. Its error joins all that is wrong with them.
func (p *Pool) readFiles() error {
	if err := p.cfg.Check(); err != nil {
		return p.named(err)
	}
	for _, m := range p.cfg.Backends {
		if m.scheme != "https" {
			continue
		}
		if err := p.readFilesOf(m); err != nil {
			return p.named(err)
		}
	}
	return nil
}

// readFilesOf reads what handshakes with m need. It alone keeps m: most members have no
// files, and of many routes each has some.
func (p *Pool) readFilesOf(m Member) error {
	files := p.cfg.filesOf(m)
	if p.keyring[files] != nil {
		return nil
	}
	if files.authorities == "" {
		// The system's are read once, and whoever does so for the first handshake may
		// have no descriptor left for it: nobody would be trusted from then on.
		x509.SystemCertPool()
	}
	loaded, err := reload.New(files.paths(), func(before *credentials) (*credentials, error) { return p.cfg.load(m, &p.cfg.Backends, before) })
	if err != nil {
		return err
	}
	if p.keyring == nil {
		p.keyring = keyring{}
	}
	p.keyring[files] = loaded
	return nil
}

// named returns err with the names of variables in complaints about the configuration.
func (p *Pool) named(err error) error {
	if p.hooks.Variable == nil {
		return config.Named(&p.cfg, err)
	}
	return config.NamedBy(p.hooks.Variable, &p.cfg, err)
}

// Reload looks every so often whether the files of TLS towards backends have changed,
// until ctx is done, and then returns nil. Connections that are made from then on go
// by what they say now; those that are open stay.
func (p *Pool) Reload(ctx context.Context, every time.Duration) error {
	var runs []func(context.Context) error
	for _, files := range p.keyring {
		runs = append(runs, func(ctx context.Context) error {
			return files.Run(ctx, every, func(_ *credentials, err error) {
				if p.hooks.Reloaded != nil {
					p.hooks.Reloaded(p.named(err))
				}
			})
		})
	}
	return supervise.All(ctx, runs...)
}

// peer says how handshakes with one backend are done, as files say now. It is safe
// for concurrent use.
type peer struct {
	options tlsOptions
	files   *reload.Files[*credentials]
	resumes bool
	latest  atomic.Pointer[handshake]
}

type handshake struct {
	of     *credentials
	config *tls.Config
}

// handshakes returns what says how those with one backend of m are done, or nil
// where there are none. Where they may resume sessions, they do.
func (p *Pool) handshakes(m Member, resume bool) func() *tls.Config {
	if m.scheme != "https" {
		return nil
	}
	options := m.tls
	options.serverName = cmp.Or(options.serverName, p.cfg.ServerName)
	peer := &peer{options: options, files: p.keyring[p.cfg.filesOf(m)], resumes: resume}
	return peer.config
}

// config returns how a handshake is done that begins now. A session is resumed only
// by what it was begun with: an authority that is believed no more, and a certificate
// that is shown no more, count for no further connection.
func (p *peer) config() *tls.Config {
	now := p.files.Get()
	if latest := p.latest.Load(); latest != nil && latest.of == now {
		return latest.config
	}
	made := &handshake{now, p.make(now)}
	p.latest.Store(made)
	return made.config
}

// make returns how handshakes are done by what c says. Ciphers and key exchanges are
// crypto/tls's: of TLS 1.2 it speaks those with forward secrecy alone, and those that
// HTTP/2 may not use with backends that have no better. Renegotiation is refused.
func (p *peer) make(c *credentials) *tls.Config {
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		RootCAs: c.authorities, ServerName: string(p.options.serverName),
	}
	if c.shown != nil {
		// Whatever authorities the backend lists: those that it believes may be behind
		// one that it does not name, and its own alert says more than none would.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.shown, nil }
	}
	if p.resumes {
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1) // for the one name
	}
	switch {
	case p.options.fingerprints != nil:
		cfg.InsecureSkipVerify = true // the authorities' word, as the certificate itself is known
		cfg.VerifyConnection = p.pinned
	case p.options.verify == verifyOff:
		cfg.InsecureSkipVerify = true // as whoever has written that was warned
	}
	return cfg
}

// pinned returns an error unless the certificate is one of the fingerprints. As with
// DANE-EE (RFC 7671 §5.1) nothing else of it counts: neither names nor dates.
func (p *peer) pinned(state tls.ConnectionState) error {
	found := fingerprint(sha256.Sum256(state.PeerCertificates[0].Raw))
	if slices.Contains(p.options.fingerprints, found) {
		return nil
	}
	return fmt.Errorf("%w: it has fingerprint=%s", fault.ErrNotPinned, found)
}
