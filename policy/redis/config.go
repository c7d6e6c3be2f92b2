package redis

import (
	"time"

	"spangate/handler/config"
	"spangate/policy/redis/connect"
)

// Config says where counts are shared. Without a RedisURL they are not.
type Config struct {
	RedisURL connect.URL `env:"RATE_LIMIT_REDIS_URL" secret:"true" needs:"RATE_LIMIT" zero:"none" doc:"Redis or Valkey that keeps the counts of all instances together: redis://user:password@host:6379/0, rediss:// for TLS, unix:///path?db=0, redis+cluster://host,host or redis+sentinel://host,host/0?master_name=name (with TLS rediss+…); each instance counts for itself when empty"`
	CAFile   string      `env:"RATE_LIMIT_REDIS_CA_FILE" needs:"RATE_LIMIT_REDIS_URL" zero:"the system's" doc:"PEM file of the authorities that may sign Redis's certificate; the system's when empty"`
	CertFile string      `env:"RATE_LIMIT_REDIS_CERT_FILE" needs:"RATE_LIMIT_REDIS_URL" zero:"none" doc:"PEM file of the client certificate shown to Redis"`
	KeyFile  string      `env:"RATE_LIMIT_REDIS_KEY_FILE" needs:"RATE_LIMIT_REDIS_URL" zero:"none" doc:"PEM file of the key of RATE_LIMIT_REDIS_CERT_FILE"`
	Prefix   string      `env:"RATE_LIMIT_REDIS_PREFIX" envDefault:"spangate:" needs:"RATE_LIMIT_REDIS_URL" doc:"begins each key in Redis; instances share counts when they have it, and their limits, in common"`
	OnError  OnError     `env:"RATE_LIMIT_ON_STORE_ERROR" envDefault:"local" needs:"RATE_LIMIT_REDIS_URL" doc:"what holds while Redis cannot be asked: local (each instance enforces its share of the limits), allow or deny"`

	Timeout time.Duration `env:"RATE_LIMIT_STORE_TIMEOUT" envDefault:"50ms" min:"2ms" needs:"RATE_LIMIT_REDIS_URL" doc:"longest wait for a decision of Redis, after which RATE_LIMIT_ON_STORE_ERROR holds; one round trip may take half of it"`
}

// For returns c for counts of their own, under that name; for those of all it is empty.
func (c Config) For(name string) Config {
	if name != "" {
		c.Prefix += name + ":"
	}
	return c
}

// Check returns what is wrong with the variables of the configuration: all for
// which [New] would refuse it, but no more about limits.
func (c *Config) Check() error {
	if c.RedisURL == "" {
		return nil
	}
	_, err := c.dialer(connectTimeout)
	return err
}

// connectTimeout bounds all that it takes to reach the store: names, TLS,
// passwords, a cluster's layout.
const connectTimeout = 500 * time.Millisecond

// dialer returns what makes clients, which do not try again: requests have no time
// for it, and it would count them twice.
func (c *Config) dialer(timeout time.Duration) (func() connect.Client, error) {
	return connect.Endpoint{URL: &c.RedisURL, CAFile: &c.CAFile, CertFile: &c.CertFile, KeyFile: &c.KeyFile}.Dialer(timeout)
}

// OnError says what becomes of a request while the store cannot be asked.
type OnError string

// What may become of it.
const (
	local OnError = "local" // the instance decides, by its share of the limits
	allow OnError = "allow"
	deny  OnError = "deny"
)

// UnmarshalText parses the name of one of them.
func (o *OnError) UnmarshalText(text []byte) error {
	return config.OneOf(o, text, local, allow, deny)
}
