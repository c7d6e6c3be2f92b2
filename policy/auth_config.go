package policy

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"spangate/handler/config"
	"spangate/handler/field"
	"spangate/policy/jwks"
)

// AuthConfig says who is let in. The zero value lets in everybody; with several
// methods, each of them lets in.
type AuthConfig struct {
	APIKeys      string    `env:"AUTH_API_KEYS" instead:"auth keys" secret:"true" door:"leave it out if no keys are to let in" zero:"none" doc:"keys that let in, name:key with commas or line ends between them; a key has 16 to 256 visible characters, or is sha256: and the hexadecimal digest of one; anybody is let in when neither this, AUTH_BASIC_USERS, AUTH_JWT_JWKS_URL nor AUTH_CLIENT_CERT is set"`
	APIKeyHeader AuthField `env:"AUTH_API_KEY_HEADER" envDefault:"X-API-Key" needs:"AUTH_API_KEYS" doc:"header field that holds an API key; backends do not get it"`
	BasicUsers   string    `env:"AUTH_BASIC_USERS" instead:"auth users" secret:"true" door:"leave it out if no users are to let in" zero:"none" doc:"users whom a password lets in, user:bcrypt with commas or line ends between them, as htpasswd -nB prints them; a password has at most 72 bytes, as bcrypt looks at no more, and longer ones are refused; backends do not get it"`

	Token TokenConfig

	ClientCert ClientCert `env:"AUTH_CLIENT_CERT" instead:"auth certificates" door:"leave it out if no certificates are to let in" needs:"TLS_CLIENT_CA_FILE" zero:"none" doc:"lets in whom a certificate of TLS_CLIENT_CA_FILE names, by its first URI (san-uri, for SPIFFE) or DNS name (san-dns), its common name (cn) or its SHA-256 (fingerprint); what fields of a header say of certificates lets nobody in"`

	PrincipalHeader AuthField `env:"AUTH_PRINCIPAL_HEADER" envDefault:"X-Auth-Principal" zero:"off" needs:"AUTH_API_KEYS|AUTH_BASIC_USERS|AUTH_JWT_JWKS_URL|AUTH_CLIENT_CERT; anybody is let in" doc:"header field that tells backends who was let in: a key's name, a user, a token's sub or a certificate's name, with % and two digits for all but letters, digits and harmless punctuation; off tells them nothing; where it is off, or anybody is let in, it is not touched"`
	MethodHeader    AuthField `env:"AUTH_METHOD_HEADER" envDefault:"X-Auth-Method" zero:"off" needs:"AUTH_API_KEYS|AUTH_BASIC_USERS|AUTH_JWT_JWKS_URL|AUTH_CLIENT_CERT; anybody is let in" doc:"header field that tells backends how: api_key, basic, jwt or client_cert; a name stands for somebody only together with it; off tells them nothing"`

	ExemptPaths ExemptPaths `env:"AUTH_EXEMPT_PATHS" instead:"auth" list:"true" needs:"AUTH_API_KEYS|AUTH_BASIC_USERS|AUTH_JWT_JWKS_URL|AUTH_CLIENT_CERT; anybody is let in" zero:"none" doc:"comma list of paths that need no credentials: /exact, or /below/* for all below; they have to be requested just as they are written here"`
}

// TokenConfig says which JSON Web Tokens let in. The zero value: none.
type TokenConfig struct {
	JWKSURL  jwks.URL      `env:"AUTH_JWT_JWKS_URL" instead:"auth tokens" secret:"true" door:"leave it out if no tokens are to let in" zero:"none" doc:"URL of the keys whose tokens let in: https, or http on localhost; AUTH_JWT_ISSUER and AUTH_JWT_AUDIENCE go with it"`
	Issuers  AuthNames     `env:"AUTH_JWT_ISSUER" instead:"auth tokens" needs:"AUTH_JWT_JWKS_URL" zero:"none" doc:"comma list: what a token's iss has to be one of; of several, none may give the sub of another's to somebody else"`
	Audience AuthNames     `env:"AUTH_JWT_AUDIENCE" instead:"auth tokens" needs:"AUTH_JWT_JWKS_URL" zero:"none" doc:"comma list: what one of a token's aud has to be one of; * lets in what the issuer made for anybody"`
	Leeway   time.Duration `env:"AUTH_JWT_LEEWAY" envDefault:"30s" min:"0s" max:"10m" needs:"AUTH_JWT_JWKS_URL" doc:"how far the issuer's clock may be off"`
	Refresh  time.Duration `env:"AUTH_JWT_JWKS_REFRESH" envDefault:"10m" min:"10s" needs:"AUTH_JWT_JWKS_URL" doc:"how often the keys are fetched; more often when their Cache-Control says so, down to 1m, and at once for a token with an unknown key or a wrong signature, but once in 5s at most"`
	Stale    time.Duration `env:"AUTH_JWT_JWKS_STALE" envDefault:"24h" min:"0s" needs:"AUTH_JWT_JWKS_URL" doc:"how long keys are used on when they can no longer be fetched"`
}

// check returns what is wrong with values that are right by themselves. It
// shows no secret: items are told by their place.
func (c *AuthConfig) check() error {
	var wrong []error
	if c.APIKeys != "" {
		_, err := parseAPIKeys(c.APIKeys)
		wrong = append(wrong, config.WrongFor(&c.APIKeys, err))
	}
	if c.BasicUsers != "" {
		_, err := parseBasicUsers(c.BasicUsers)
		wrong = append(wrong, config.WrongFor(&c.BasicUsers, err))
	}
	if c.APIKeys != "" && c.APIKeyHeader == "" {
		wrong = append(wrong, config.Wrong(&c.APIKeyHeader, "must name a field: the keys of %s have no other place", &c.APIKeys))
	}
	used := map[string]*AuthField{}
	for _, field := range []*AuthField{&c.APIKeyHeader, &c.PrincipalHeader, &c.MethodHeader} {
		name := strings.ToLower(string(*field))
		if other := used[name]; other != nil && name != "" {
			wrong = append(wrong, config.Wrong(field, "must be another one than %s", other))
		}
		used[name] = field
	}
	return errors.Join(append(wrong, c.Token.check()...)...)
}

// configured reports whether anything but everybody is let in.
func (c AuthConfig) configured() bool {
	return c.APIKeys != "" || c.BasicUsers != "" || c.Token.JWKSURL != "" || c.ClientCert != ""
}

// Names returns the fields, by their canonical names, that say whom the door has let in;
// none where there is no door.
func (c AuthConfig) Names() (names []string) {
	if !c.configured() {
		return nil
	}
	for _, field := range []AuthField{c.PrincipalHeader, c.MethodHeader} {
		if field != "" {
			names = append(names, http.CanonicalHeaderKey(string(field)))
		}
	}
	return names
}

// Takes reports whether a header field is for this door only: what lies behind
// does not get it.
func (c AuthConfig) Takes(name string) bool {
	return name != "" && (c.APIKeys != "" && strings.EqualFold(name, string(c.APIKeyHeader)) ||
		c.BasicUsers != "" && strings.EqualFold(name, "Authorization"))
}

func (c *TokenConfig) check() (wrong []error) {
	if c.JWKSURL != "" {
		wrong = append(wrong, config.WrongFor(&c.JWKSURL, c.JWKSURL.Check()))
	}
	for _, one := range []struct {
		names *AuthNames
		hint  string
	}{
		{&c.Issuers, "e.g. https://issuer.example/"},
		{&c.Audience, "or else tokens made for others let in; * if that is meant"},
	} {
		switch {
		case slices.Contains(*one.names, ""):
			wrong = append(wrong, config.Wrong(config.Fields{one.names}, "must have no empty name"))
		case c.JWKSURL != "" && *one.names == nil:
			wrong = append(wrong, config.Wrong(config.Fields{one.names}, "required by %s, %s", &c.JWKSURL, one.hint))
		}
	}
	if slices.Contains(c.Issuers, "*") {
		wrong = append(wrong, config.Wrong(config.Fields{&c.Issuers}, "must name issuers, as a sub is somebody only together with its issuer"))
	}
	if len(c.Audience) > 1 && slices.Contains(c.Audience, "*") {
		wrong = append(wrong, config.Wrong(config.Fields{&c.Audience}, "* must stand alone"))
	}
	return wrong
}

// AuthNames is a comma list of names.
type AuthNames []string

// UnmarshalText parses a comma list.
func (n *AuthNames) UnmarshalText(text []byte) error {
	*n = nil
	for name := range strings.SplitSeq(string(text), ",") {
		*n = append(*n, strings.TrimSpace(name))
	}
	return nil
}

// AuthField is the name of a header field that credentials, or what they say,
// are in. Empty, off as text, it is none.
type AuthField string

var authField = regexp.MustCompile(`^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$`)

// UnmarshalText parses the name of a field, or off. Those that mean something are
// refused; so is _, which many a program cannot tell from -.
func (f *AuthField) UnmarshalText(text []byte) error {
	if config.IsOff(text) {
		*f = ""
		return nil
	}
	if field.IsDefined(http.CanonicalHeaderKey(string(text))) {
		return errors.New("must be a field that has no meaning of its own")
	}
	if !authField.Match(text) {
		return errors.New("must be letters and digits, with single hyphens between them")
	}
	*f = AuthField(text)
	return nil
}

// credentialItems splits a list of secrets of the form name:secret. One may be
// a line of a file, in which empty lines do not count. Errors tell items by
// their place, as what looks like a name may be the secret.
func credentialItems(text string, add func(name, secret string) error) error {
	var wrong []error
	names := map[string]bool{}
	place := 0
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		for item := range strings.SplitSeq(line, ",") {
			place++
			name, secret, ok := strings.Cut(strings.TrimSpace(item), ":")
			var err error
			switch {
			case !ok:
				err = errors.New("must be a name, a colon and a secret")
			case !isPrincipalName(name):
				err = fmt.Errorf("its name must have 1 to %d characters, none of them a space", maxPrincipalName)
			case names[name]:
				err = errors.New("must have a name of its own")
			default:
				names[name] = true
				err = add(name, secret)
			}
			if err != nil {
				wrong = append(wrong, fmt.Errorf("item %d: %w", place, err))
			}
		}
	}
	if place == 0 {
		wrong = append(wrong, errors.New("must have an item"))
	}
	return errors.Join(wrong...)
}
