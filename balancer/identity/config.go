package identity

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"spangate/handler/config"
)

// Config says how the proxy shows backends who it is. The zero value shows nothing.
type Config struct {
	Kind         Kind         `env:"BACKEND_AUTH" envDefault:"none" zero:"none" doc:"token by which backends know the proxy: google-id-token, of the service account that it runs as on Google Cloud, for a private Cloud Run service, in X-Serverless-Authorization, beside the client's Authorization; oauth2-client-credentials, of BACKEND_AUTH_TOKEN_URL, in Authorization, in place of the client's; or none; ;auth= for one backend; http and grpc probes have it too; it is fetched once and kept until shortly before it expires; while there is none a request fails with 502 and identity_error, which is not held against the backend"`
	Audience     Audience     `env:"BACKEND_AUTH_AUDIENCE" needs:"BACKEND_AUTH!=none|BACKENDS*=auth=|CANARY_BACKENDS*=auth=|MIRROR_BACKENDS*=auth=" zero:"of each backend's URL" doc:"whom the token is for; with google-id-token that is scheme and host of each backend's URL when empty; with oauth2-client-credentials the authorization server is told only if there is one; ;audience= for one backend"`
	TokenURL     TokenURL     `env:"BACKEND_AUTH_TOKEN_URL" needs:"BACKEND_AUTH=oauth2-client-credentials|BACKENDS*=auth=oauth2|CANARY_BACKENDS*=auth=oauth2|MIRROR_BACKENDS*=auth=oauth2" zero:"none" doc:"where the authorization server of oauth2-client-credentials hands out tokens"`
	ClientID     string       `env:"BACKEND_AUTH_CLIENT_ID" needs:"BACKEND_AUTH=oauth2-client-credentials|BACKENDS*=auth=oauth2|CANARY_BACKENDS*=auth=oauth2|MIRROR_BACKENDS*=auth=oauth2" zero:"none" doc:"what that server knows the proxy by"`
	ClientSecret string       `env:"BACKEND_AUTH_CLIENT_SECRET" secret:"true" needs:"BACKEND_AUTH=oauth2-client-credentials|BACKENDS*=auth=oauth2|CANARY_BACKENDS*=auth=oauth2|MIRROR_BACKENDS*=auth=oauth2" zero:"none" doc:"the secret that goes with BACKEND_AUTH_CLIENT_ID"`
	Scopes       []Scope      `env:"BACKEND_AUTH_SCOPES" list:"true" needs:"BACKEND_AUTH=oauth2-client-credentials|BACKENDS*=auth=oauth2|CANARY_BACKENDS*=auth=oauth2|MIRROR_BACKENDS*=auth=oauth2" zero:"the server's default" doc:"comma list of the scopes that the token is to have"`
	MetadataHost MetadataHost `env:"GCE_METADATA_HOST" whole:"true" zero:"169.254.169.254" doc:"host, and port if another than 80, of the metadata server that google-id-token asks; that of Google's machines when empty"`
}

// key returns all that tokens of that purpose are got by.
func (c *Config) key(p Purpose) key {
	k := key{purpose: p}
	switch p.Kind {
	case Google:
		k.metadataHost = cmp.Or(string(c.MetadataHost), metadataHost)
	case OAuth2:
		k.tokenURL, k.clientID, k.clientSecret = string(c.TokenURL), c.ClientID, c.ClientSecret
		for _, scope := range c.Scopes {
			k.scope += " " + string(scope)
		}
	}
	return k
}

// fetch returns what is asked for, and what fetches it.
func (k key) fetch() (Request, Fetch) {
	if k.purpose.Kind == Google {
		u, fetch := ofGoogle(k.metadataHost, k.purpose.Audience)
		return Request{k.purpose, "GET", u}, fetch
	}
	u, fetch := ofServer(k)
	return Request{k.purpose, "POST", u}, fetch
}

// Missing returns what is wrong with c where some backend is of that kind, because of
// the field whose address by is.
func (c *Config) Missing(kind Kind, by any) error {
	if kind != OAuth2 {
		return nil
	}
	var wrong []error
	required := func(field any, missing bool) {
		if missing {
			wrong = append(wrong, config.Wrong(config.Fields{field}, "required by %s in %s", OAuth2, by))
		}
	}
	required(&c.TokenURL, c.TokenURL == "")
	required(&c.ClientID, c.ClientID == "")
	required(&c.ClientSecret, c.ClientSecret == "")
	return errors.Join(wrong...)
}

// Audience is whom a token is for, which is mostly the URL of a service.
type Audience string

// longestAudience bounds an audience, which stands on each span of a fetch.
const longestAudience = 1024

// UnmarshalText parses an audience.
func (a *Audience) UnmarshalText(text []byte) error {
	if len(text) == 0 || len(text) > longestAudience || strings.ContainsFunc(string(text), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("must be whom a token is for, such as https://app-xyz.run.app, without blanks")
	}
	*a = Audience(text)
	return nil
}

// Scope is what a token lets its holder do, as RFC 6749 §3.3 writes it.
type Scope string

// UnmarshalText parses a scope.
func (s *Scope) UnmarshalText(text []byte) error {
	if len(text) == 0 || strings.ContainsFunc(string(text), func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
		return errors.New("must be scopes with commas between them, such as orders.read,orders.write")
	}
	*s = Scope(text)
	return nil
}

// TokenURL says where tokens are handed out. A secret is sent there: it is an https URL,
// or an http one that leads no farther than [Exposed] allows.
type TokenURL string

// UnmarshalText parses a URL. Its error joins all that is wrong with it.
func (t *TokenURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("must be a URL such as https://issuer.example/oauth2/token")
	}
	var wrong []error
	if u.User != nil {
		wrong = append(wrong, errors.New("must not carry credentials"))
	}
	if u.Fragment != "" {
		wrong = append(wrong, errors.New("must not have a fragment"))
	}
	if u.Scheme == "http" && Exposed(u.Hostname()) == Public {
		wrong = append(wrong, errors.New("must be https, as a secret is sent there; http is for hosts of this machine or a private network"))
	}
	*t = TokenURL(text)
	return errors.Join(wrong...)
}

// MetadataHost is a host, and a port if there is one.
type MetadataHost string

// UnmarshalText parses a host.
func (m *MetadataHost) UnmarshalText(text []byte) error {
	host, port, err := net.SplitHostPort(string(text))
	if err != nil {
		host, port = strings.Trim(string(text), "[]"), "80"
	}
	if n, perr := strconv.ParseUint(port, 10, 16); host == "" || strings.ContainsAny(host, "/@?# ") || perr != nil || n == 0 {
		return errors.New("must be a host, and a port if another than 80, such as 127.0.0.1:8181")
	}
	*m = MetadataHost(text)
	return nil
}
