package probe

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"spangate/handler/config"
)

// Config says how backends are asked whether they are fit to serve. A duration or
// count of zero stands for its default.
type Config struct {
	Mode     Mode          `env:"PROBE_MODE" envDefault:"auto" auto:"active" doc:"active (by timers), on-demand (within requests, for platforms that stop the CPU between them) or off; auto is active where the platform's default is no other"`
	Type     Type          `env:"PROBE_TYPE" envDefault:"auto" needs:"PROBE_MODE!=off" doc:"http, tcp or grpc (the standard health protocol); auto is http when PROBE_PATH is set, else tcp"`
	Path     Path          `env:"PROBE_PATH" needs:"PROBE_MODE!=off PROBE_TYPE!=tcp PROBE_TYPE!=grpc" zero:"none" doc:"path, and query if any, that an http probe gets; with PROBE_TYPE=http it is / when empty; the path of a backend's own URL is not put before it"`
	Status   StatusSet     `env:"PROBE_STATUS" envDefault:"200-399" list:"true" needs:"PROBE_MODE!=off PROBE_TYPE=http|PROBE_PATH" doc:"statuses, and ranges of them, with which a backend that is fit answers an http probe: 200,204,300-399"`
	Service  string        `env:"PROBE_GRPC_SERVICE" needs:"PROBE_MODE!=off PROBE_TYPE=grpc" zero:"the server as a whole" doc:"service that a grpc probe asks about; the server as a whole when empty"`
	Interval time.Duration `env:"PROBE_INTERVAL" envDefault:"10s" min:"10ms" needs:"PROBE_MODE!=off" doc:"time from one probe of a backend to the next, or up to a tenth less; with PROBE_MODE=on-demand the least time, once there is a verdict"`
	Timeout  time.Duration `env:"PROBE_TIMEOUT" envDefault:"2s" min:"1ms" needs:"PROBE_MODE!=off" doc:"longest wait for a backend's answer to a probe"`
	Rise     int           `env:"PROBE_RISE" envDefault:"1" min:"1" needs:"PROBE_MODE!=off" doc:"probes that must succeed in a row for a backend to be used again"`
	Fall     int           `env:"PROBE_FALL" envDefault:"2" min:"1" needs:"PROBE_MODE!=off" doc:"probes that must fail in a row for a backend to be left out"`
}

// Kind returns the type of probe that c asks for, which is never auto.
func (c Config) Kind() Type {
	switch {
	case c.Type != TypeAuto && c.Type != "":
		return c.Type
	case c.Path != "":
		return TypeHTTP
	}
	return TypeTCP
}

// Check returns the check that c asks for. One that sends a request does so by
// rt, which must speak HTTP/2 for [TypeGRPC], with host as its Host header, or the
// URL's authority when that is empty. One that only connects does so to address,
// host:port or the path of a Unix socket, or to the URL's authority when that is
// empty; where more belongs to a connection than that, as with TLS, by connect.
func (c Config) Check(rt http.RoundTripper, host, address string, connect Check) Check {
	switch c.Kind() {
	case TypeHTTP:
		return checkHTTP(rt, host, cmp.Or(string(c.Path), "/"), c.Status)
	case TypeGRPC:
		return checkGRPC(rt, host, c.Service)
	}
	if connect != nil {
		return checkConnection(connect)
	}
	return checkTCP(address)
}

// Mode says what makes a probe start.
type Mode string

// The modes. The zero value counts as ModeAuto.
const (
	ModeAuto     Mode = "auto"      // ModeActive
	ModeActive   Mode = "active"    // a timer
	ModeOnDemand Mode = "on-demand" // a request that finds the last verdict too old
	ModeOff      Mode = "off"       // nothing
)

// UnmarshalText parses the name of a mode.
func (m *Mode) UnmarshalText(text []byte) error {
	return config.OneOf(m, text, ModeAuto, ModeActive, ModeOnDemand, ModeOff)
}

// Type says what a probe asks.
type Type string

// The types. The zero value counts as TypeAuto.
const (
	TypeAuto Type = "auto" // TypeHTTP where there is a path, else TypeTCP
	TypeHTTP Type = "http"
	TypeTCP  Type = "tcp"
	TypeGRPC Type = "grpc"
)

// UnmarshalText parses the name of a type.
func (t *Type) UnmarshalText(text []byte) error {
	return config.OneOf(t, text, TypeAuto, TypeHTTP, TypeTCP, TypeGRPC)
}

// Path is what an http probe gets: a path that begins with a slash, and a query
// if any.
type Path string

// UnmarshalText parses a path.
func (p *Path) UnmarshalText(text []byte) error {
	switch _, err := url.ParseRequestURI(string(text)); {
	case !strings.HasPrefix(string(text), "/"):
		return errors.New("must begin with /")
	case strings.Contains(string(text), "#"):
		return errors.New("must not have a fragment")
	case err != nil:
		return errors.New("must be a path, in which a % that is meant as such is written %25, and what is not visible ASCII as % and two digits")
	}
	*p = Path(text)
	return nil
}

// InForce returns, by its address, what comes of fields that leave it to others.
func (c *Config) InForce() map[any]string {
	text := map[any]string{&c.Type: string(c.Kind())}
	if c.Kind() == TypeHTTP {
		text[&c.Path] = string(cmp.Or(c.Path, "/"))
	}
	return text
}
