package acme

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"time"

	"spangate/handler/config"
	"spangate/policy/redis/connect"
)

// LetsEncrypt is the directory of the authority that is asked when no other is
// configured.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// Config says for which names an authority is asked for certificates. Without
// Domains none is.
type Config struct {
	Domains []Name       `env:"TLS_ACME_DOMAINS" list:"true" zero:"none" doc:"names for which certificates are got from an authority by ACME, and renewed; who sets it agrees to the authority's terms of service; each is one exact name, as HTTP-01 and TLS-ALPN-01 prove no wildcard"`
	Email   string       `env:"TLS_ACME_EMAIL" needs:"TLS_ACME_DOMAINS" zero:"none" doc:"address that the authority is told when the account is made"`
	CA      DirectoryURL `env:"TLS_ACME_CA" envDefault:"https://acme-v02.api.letsencrypt.org/directory" needs:"TLS_ACME_DOMAINS" doc:"URL of the authority's ACME directory"`
	CAFile  string       `env:"TLS_ACME_CA_FILE" needs:"TLS_ACME_DOMAINS" zero:"the system's" doc:"PEM file of the authorities that may sign the certificate of TLS_ACME_CA itself; the system's when empty"`
	Profile string       `env:"TLS_ACME_PROFILE" needs:"TLS_ACME_DOMAINS" zero:"the authority's usual one" doc:"profile of the certificates, of those that the authority's directory lists, such as shortlived"`
	Dir     string       `env:"TLS_ACME_DIR" needs:"TLS_ACME_DOMAINS" zero:"none" doc:"directory, only for this, that keeps certificates, their keys and the account's; several instances may share it; it must outlive the process, as authorities limit how often they issue"`

	RedisURL      connect.URL `env:"TLS_ACME_REDIS_URL" secret:"true" needs:"TLS_ACME_DOMAINS" zero:"none" doc:"Redis or Valkey that keeps, in place of TLS_ACME_DIR, what instances share: a URL as of RATE_LIMIT_REDIS_URL; whoever can read there has the keys of all certificates"`
	RedisCAFile   string      `env:"TLS_ACME_REDIS_CA_FILE" needs:"TLS_ACME_REDIS_URL" zero:"the system's" doc:"PEM file of the authorities that may sign Redis's certificate; the system's when empty"`
	RedisCertFile string      `env:"TLS_ACME_REDIS_CERT_FILE" needs:"TLS_ACME_REDIS_URL" zero:"none" doc:"PEM file of the client certificate shown to Redis"`
	RedisKeyFile  string      `env:"TLS_ACME_REDIS_KEY_FILE" needs:"TLS_ACME_REDIS_URL" zero:"none" doc:"PEM file of the key of TLS_ACME_REDIS_CERT_FILE"`
	RedisPrefix   string      `env:"TLS_ACME_REDIS_PREFIX" envDefault:"spangate:acme:" needs:"TLS_ACME_REDIS_URL" doc:"begins each key in Redis; instances that have it in common share certificates"`

	EABKeyID   string        `env:"TLS_ACME_EAB_KEY_ID" needs:"TLS_ACME_DOMAINS" zero:"none" doc:"key identifier that an authority gave out for binding accounts to its customers"`
	EABHMACKey string        `env:"TLS_ACME_EAB_HMAC_KEY" secret:"true" needs:"TLS_ACME_EAB_KEY_ID" zero:"none" doc:"key that came with TLS_ACME_EAB_KEY_ID, in base64url"`
	RetryAfter time.Duration `env:"TLS_ACME_RETRY_AFTER" envDefault:"1m" min:"1s" needs:"TLS_ACME_DOMAINS" doc:"wait before another order once one has failed; it doubles with each further failure, up to 3h, and is longer where the authority says so"`
}

// On reports whether there is a name to get a certificate for.
func (c *Config) On() bool { return len(c.Domains) > 0 }

// Check returns what is wrong with variables that are right by themselves.
func (c *Config) Check() error {
	if !c.On() {
		return nil
	}
	var all []error
	switch {
	case c.Dir == "" && c.RedisURL == "":
		all = append(all, config.Wrong(config.Fields{&c.Domains}, "needs %s or %s: without certificates of earlier starts each start would order new ones, which authorities limit", &c.Dir, &c.RedisURL))
	case c.Dir != "" && c.RedisURL != "":
		all = append(all, config.Wrong(config.Fields{&c.Dir}, "is of no use with %s", &c.RedisURL))
	case c.RedisURL != "":
		_, err := c.redis().Dialer(redisTimeout)
		all = append(all, err)
	}
	if (c.EABKeyID == "") != (c.EABHMACKey == "") {
		all = append(all, config.Wrong(config.Fields{&c.EABKeyID, &c.EABHMACKey}, "need each other"))
	}
	if _, err := base64.RawURLEncoding.DecodeString(unpadded(c.EABHMACKey)); err != nil {
		all = append(all, config.Wrong(config.Fields{&c.EABHMACKey}, "must be base64url"))
	}
	if strings.ContainsAny(c.Email, " \t,;:/") || c.Email != "" && !strings.Contains(c.Email, "@") {
		all = append(all, config.Wrong(&c.Email, "must be one address, such as admin@example.com"))
	}
	_, err := c.transport()
	return errors.Join(append(all, err)...)
}

func (c *Config) redis() connect.Endpoint {
	return connect.Endpoint{URL: &c.RedisURL, CAFile: &c.RedisCAFile, CertFile: &c.RedisCertFile, KeyFile: &c.RedisKeyFile}
}

// open returns the store that c says.
func (c *Config) open() (Store, error) {
	if c.RedisURL != "" {
		return OpenRedis(c.redis(), c.RedisPrefix)
	}
	store, err := OpenDir(c.Dir)
	if err != nil {
		return nil, config.Wrong(&c.Dir, "%w", err)
	}
	return store, nil
}

// unpadded returns what RFC 8555 asks for of a key as some authorities hand it out.
func unpadded(key string) string { return strings.TrimRight(key, "=") }

// DirectoryURL is where an authority's directory is.
type DirectoryURL string

// UnmarshalText accepts URLs with https (RFC 8555, section 6.1).
func (d *DirectoryURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https":
		return errors.New("must be a URL that begins with https://")
	case u.User != nil || u.Fragment != "":
		return errors.New("must have neither user nor fragment")
	}
	*d = DirectoryURL(text)
	return nil
}
