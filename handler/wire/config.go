package wire

import (
	"errors"
	"strconv"
	"time"

	"spangate/handler/config"
)

// Config says where clients are listened to, and how they are served.
type Config struct {
	Host Host   `env:"HOST" zero:"all addresses" doc:"IP address or host name to listen on; all addresses, IPv4 and IPv6, when empty"`
	Port uint16 `env:"PORT" envDefault:"8080" zero:"any that is free" doc:"TCP port to listen on; 0 picks a free one and logs it"`

	TLS TLSConfig

	HeaderTimeout  time.Duration `env:"READ_HEADER_TIMEOUT" envDefault:"10s" min:"1ms" doc:"longest time a client may take to send a request's header"`
	IdleTimeout    time.Duration `env:"IDLE_TIMEOUT" envDefault:"120s" min:"1ms" doc:"how long an idle client connection is kept"`
	ClientTimeout  time.Duration `env:"CLIENT_TIMEOUT" envDefault:"60s" min:"0" zero:"no limit" doc:"longest pause of a client within a request, while it sends a body or does not take the response (over HTTP/2 it may pause in a body once the response has begun); 0 sets no limit"`
	MaxHeaderBytes config.Bytes  `env:"MAX_HEADER_BYTES" envDefault:"64KiB" min:"1KiB" doc:"largest request header"`
	MaxHeaders     int           `env:"MAX_HEADERS" envDefault:"128" min:"1" doc:"most fields in a request's header; more are answered with 431"`

	ProxyProtocol ProxyProtocol `env:"PROXY_PROTOCOL" envDefault:"off" doc:"on: connections to PORT and TLS_PORT from TRUSTED_PROXIES begin with a header of the PROXY protocol (version 1 or 2), which says who the client is; without one they are closed"`

	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"10s" min:"100ms" doc:"from SIGTERM or SIGINT to exit: requests in flight are finished, then telemetry is flushed in the last fifth"`
	ShutdownDelay   time.Duration `env:"SHUTDOWN_DELAY" envDefault:"0s" min:"0" doc:"how long, less than three quarters of SHUTDOWN_TIMEOUT, new connections are still accepted after readiness went off"`

	AdminPort uint16 `env:"ADMIN_PORT" zero:"PORT's" doc:"TCP port of the proxy's own endpoints, which are then not on PORT; on PORT when empty or 0"`
}

// Check returns what is wrong with values that are right by themselves.
func (c *Config) Check() error {
	wrong := []error{c.TLS.check()}
	if c.TLS.Port != 0 && c.TLS.Port == c.Port {
		wrong = append(wrong, config.Wrong(&c.TLS.Port, "must not be that of %s; leave it empty to have HTTPS alone there", &c.Port))
	}
	if c.TLS.Port != 0 && c.TLS.Port == c.AdminPort {
		wrong = append(wrong, config.Wrong(&c.AdminPort, "must not be that of %s", &c.TLS.Port))
	}
	if c.AdminPort != 0 && c.AdminPort == c.Port {
		wrong = append(wrong, config.Wrong(&c.AdminPort, "must not be that of %s; leave it empty to have both on one", &c.Port))
	}
	if c.ShutdownTimeout > 0 && c.ShutdownDelay >= c.drainTimes().drain {
		wrong = append(wrong, config.Wrong(&c.ShutdownDelay, "must be less than three quarters of %s, which is %v", &c.ShutdownTimeout, c.ShutdownTimeout))
	}
	return errors.Join(wrong...)
}

// InForce returns, by its address, what comes of fields that leave it to others.
func (c *Config) InForce() map[any]string {
	if c.AdminPort != 0 || c.Port == 0 {
		return nil
	}
	return map[any]string{&c.AdminPort: strconv.Itoa(int(c.Port))}
}
