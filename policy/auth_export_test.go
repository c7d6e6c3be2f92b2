package policy

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"

	"spangate/policy/jwks"
)

// BasicUsers is what is behind AUTH_BASIC_USERS.
type BasicUsers struct{ users *basicUsers }

// NewBasicUsers parses AUTH_BASIC_USERS.
func NewBasicUsers(text string) (BasicUsers, error) {
	u, err := parseBasicUsers(text)
	return BasicUsers{u}, err
}

// Verify returns who has the credentials, and else the reason why nobody does.
func (u BasicUsers) Verify(ctx context.Context, credentials string) (Principal, string) {
	p, reason := u.users.verify(ctx, netip.Addr{}, base64.StdEncoding.EncodeToString([]byte(credentials)))
	return p, string(reason)
}

// VerifyFrom is Verify for a client at addr.
func (u BasicUsers) VerifyFrom(ctx context.Context, addr netip.Addr, credentials string) string {
	_, reason := u.users.verify(ctx, addr, base64.StdEncoding.EncodeToString([]byte(credentials)))
	return string(reason)
}

// Occupy takes all turns at bcrypt.
func (u BasicUsers) Occupy() (free func()) {
	for range cap(u.users.turns) {
		u.users.turns <- struct{}{}
	}
	return func() {
		for range cap(u.users.turns) {
			<-u.users.turns
		}
	}
}

// Remembered returns how many passwords are, right and wrong.
func (u BasicUsers) Remembered() (right, wrong int) {
	return len(u.users.right.entries), len(u.users.wrong.entries)
}

// MakeRoomFor bounds what is remembered.
func (u BasicUsers) MakeRoomFor(n int) { u.users.right.max, u.users.wrong.max = n, n }

// HashFor returns what a password of that user is compared with.
func (u BasicUsers) HashFor(name string) string {
	hash, _ := u.users.hashFor(name)
	return string(hash)
}

// Tokens verifies tokens.
type Tokens = tokenVerifier

// NewTokens returns what verifies the tokens that cfg lets in, with keys that come
// over rt, unless nil.
func NewTokens(cfg TokenConfig, rt http.RoundTripper) *Tokens {
	return newTokenVerifier(cfg, jwks.NewSource(cfg.keys(rt)))
}

// Run keeps the keys up to date until ctx is done.
func (t *tokenVerifier) Run(ctx context.Context) { t.keys.Run(ctx, nil) }

// AuthWith is NewAuth with tokens that run by themselves.
func AuthWith(cfg AuthConfig, tokens *Tokens, refuse Refuse, hooks Hooks) *Auth {
	return newAuth(cfg, tokens, refuse, hooks)
}

// Check returns what is wrong with values that are right by themselves.
func (c *AuthConfig) Check() error { return c.check() }

// Verified returns how many tokens are remembered.
func (t *Tokens) Verified() int { return len(t.verified.entries) }

// ParseAPIKeys returns the digests of keys and their names.
func ParseAPIKeys(text string) (map[[32]byte]string, error) { return parseAPIKeys(text) }

// Contain reports whether the path of u needs no credentials.
func (p ExemptPaths) Contain(u *url.URL) bool { return p.contain(u) }

// FieldValue returns a name as it stands in a header field.
func FieldValue(name string) string { return fieldValue(name) }
