package policy

import (
	"errors"
	"strings"
	"time"

	"spangate/handler/config"
)

// Config says which requests are let in. The zero value lets in all.
type Config struct {
	RequestTimeout time.Duration `env:"REQUEST_TIMEOUT" envDefault:"0s" min:"0" zero:"no limit" doc:"deadline of a whole request, retries included, if its client does not set a sooner one (grpc-timeout, Connect-Timeout-Ms); 0 leaves it to clients"`
	MaxRequestBody config.Bytes  `env:"MAX_REQUEST_BODY" envDefault:"0" min:"0" zero:"no limit" doc:"largest request body, such as 10MiB; 0 sets no limit"`

	RequestID   RequestIDConfig `whole:"true"`
	Access      AccessConfig
	CORS        CORSConfig
	Auth        AuthConfig
	RateLimit   RateLimitConfig
	Concurrency ConcurrencyConfig
}

// Fields returns the header fields that policies read, write or vouch for.
func (c Config) Fields() []string {
	names := c.Vouched()
	if c.Auth.APIKeys != "" {
		names = append(names, string(c.Auth.APIKeyHeader))
	}
	for _, part := range c.RateLimit.Key.parts {
		names = append(names, part.header)
	}
	return names
}

// Vouched returns the header fields that policies write, so that whoever reads them may
// believe what they say.
func (c Config) Vouched() []string {
	return append(c.Auth.Names(), string(c.RequestID.Header))
}

// Check returns what is wrong with variables that are right by themselves.
func (c *Config) Check() error {
	var wrong []error
	for _, part := range c.RateLimit.Key.parts {
		if c.Auth.Takes(part.header) {
			wrong = append(wrong, config.Wrong(config.Fields{&c.RateLimit.Key}, "header:%s is not there any more when requests are counted; header:%s+header:%s says whom it let in",
				part.header, c.Auth.PrincipalHeader, c.Auth.MethodHeader))
		}
	}
	id := string(c.RequestID.Header)
	names := func(field AuthField) bool { return id != "" && strings.EqualFold(id, string(field)) }
	if c.Auth.Takes(id) || names(c.Auth.PrincipalHeader) || names(c.Auth.MethodHeader) {
		wrong = append(wrong, config.Wrong(&c.RequestID.Header, "must be a field that has no other meaning"))
	}
	return errors.Join(append(wrong, c.CORS.check(), c.Auth.check(), c.RateLimit.check())...)
}
