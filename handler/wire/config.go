package wire

import (
	"cmp"
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

	AdminPort uint16  `env:"ADMIN_PORT" zero:"PORT's" doc:"TCP port of the proxy's own endpoints, which are then not on PORT; on PORT when empty or 0"`
	Metrics   Metrics `envPrefix:"OTEL_EXPORTER_PROMETHEUS_"`
}

// Metrics is where those come who scrape metrics. The zero value leaves it to others:
// they are on the port of the proxy's own endpoints if that is not [Config.Port].
type Metrics struct {
	Host Host   `env:"HOST" needs:"OTEL_METRICS_EXPORTER*=prometheus" zero:"localhost" doc:"IP address or host name on which metrics are scraped, below /metrics; default localhost, but with ADMIN_PORT and without OTEL_EXPORTER_PROMETHEUS_PORT they are on that instead"`
	Port uint16 `env:"PORT" needs:"OTEL_METRICS_EXPORTER*=prometheus" zero:"9464" doc:"TCP port on which metrics are scraped, below /metrics, and not on ADMIN_PORT then; default 9464, but with ADMIN_PORT and without OTEL_EXPORTER_PROMETHEUS_HOST they are on that instead"`
}

// scrapes returns where metrics have a port of their own: 0 where they have none, if
// anybody is to scrape them.
func (c *Config) scrapes() (host Host, port uint16) {
	if c.Metrics == (Metrics{}) && c.AdminPort != 0 {
		return "", 0
	}
	return cmp.Or(c.Metrics.Host, "localhost"), cmp.Or(c.Metrics.Port, 9464)
}

// Check returns what is wrong with values that are right by themselves, if metrics are
// scraped or not.
func (c *Config) Check(scraped bool) error {
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
	if _, port := c.scrapes(); scraped && port != 0 {
		for _, taken := range []*uint16{&c.Port, &c.TLS.Port, &c.AdminPort} {
			switch {
			case *taken != port:
			case c.Metrics.Port != 0:
				wrong = append(wrong, config.Wrong(&c.Metrics.Port, "must not be that of %s", taken))
			default:
				wrong = append(wrong, config.Wrong(taken, "must not be that of scrapes, unless %s gives these another one", &c.Metrics.Port))
			}
		}
	}
	if c.ShutdownTimeout > 0 && c.ShutdownDelay >= c.drainTimes().drain {
		wrong = append(wrong, config.Wrong(&c.ShutdownDelay, "must be less than three quarters of %s, which is %v", &c.ShutdownTimeout, c.ShutdownTimeout))
	}
	return errors.Join(wrong...)
}

// InForce returns, by its address, what comes of fields that leave it to others.
func (c *Config) InForce() map[any]string {
	text := map[any]string{}
	if c.AdminPort == 0 && c.Port != 0 {
		text[&c.AdminPort] = strconv.Itoa(int(c.Port))
	}
	if _, port := c.scrapes(); port == 0 {
		text[&c.Metrics.Host] = cmp.Or(string(c.Host), "all addresses")
		text[&c.Metrics.Port] = strconv.Itoa(int(c.AdminPort))
	}
	return text
}
