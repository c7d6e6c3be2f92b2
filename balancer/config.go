package balancer

import (
	"time"

	"spangate/balancer/identity"
	"spangate/handler/wire"
)

// Config says where requests go and how one backend is chosen among several.
type Config struct {
	Backends  Members   `env:"BACKENDS,required" unless:"ROUTES" example:"http://app-1:3000,http://app-2:3000" list:"true" doc:"comma list of backends: http, https, h2c or http+unix URLs, or echo:NAME, a built-in demonstration backend; dns+http://name:port is one member for each address of the name, dns+srv://_http._tcp.name one for each of its SRV records; options follow with a semicolon: http://a:3000;weight=3;host=preserve; service=NAME is what the backend's own telemetry calls itself, service.peer.name on the spans of attempts; proxy-protocol=v1 or v2 has each connection begin with the client's address, and serve one request; https takes server-name=NAME, ca-file=PATH, cert-file=PATH, key-file=PATH, each in place of the variable BACKEND_… of its name, fingerprint=sha256:HEX, which may stand several times, of a certificate that is believed whoever signed it, and tls-verify=off, which believes any; auth=KIND and audience=URL stand in place of BACKEND_AUTH and BACKEND_AUTH_AUDIENCE"`
	Algorithm Algorithm `env:"BALANCER" envDefault:"round-robin" doc:"round-robin, least-requests (in flight), power-of-two (the less busy of two), peak-ewma (the faster and less busy), random, or hash (consistent, with bounded load); all of them follow weights"`
	HashKey   HashKey   `env:"BALANCER_HASH_KEY" envDefault:"client-ip" needs:"BALANCER=hash" doc:"what of a request BALANCER=hash keeps at one backend: client-ip, header:NAME, cookie:NAME or path; requests without it are spread at random"`

	StickyCookie CookieName `env:"BALANCER_STICKY_COOKIE" zero:"none" doc:"name of a cookie that keeps a client with the backend that answered it first, whatever the algorithm; none when empty"`

	Host HostRule `env:"BACKEND_HOST" envDefault:"auto" doc:"Host header sent to a backend: preserve (the client's), backend (its URL's) or auto (the backend's for https, else the client's)"`

	wire.TransportConfig

	CAFile     string     `env:"BACKEND_CA_FILE" needs:"BACKENDS*=https:|CANARY_BACKENDS*=https:|MIRROR_BACKENDS*=https:" zero:"the system's" doc:"PEM file of the authorities that may sign the backends' certificates; the system's when empty; read again when it changes; ;ca-file= for one backend"`
	CertFile   string     `env:"BACKEND_CERT_FILE" needs:"BACKENDS*=https:|CANARY_BACKENDS*=https:|MIRROR_BACKENDS*=https:" zero:"none" doc:"PEM file of the client certificate, and its chain, shown to backends that ask for one; read again when it changes; ;cert-file= for one backend"`
	KeyFile    string     `env:"BACKEND_KEY_FILE" needs:"BACKENDS*=https:|CANARY_BACKENDS*=https:|MIRROR_BACKENDS*=https: BACKEND_CERT_FILE" zero:"in BACKEND_CERT_FILE" doc:"PEM file of the key of BACKEND_CERT_FILE; that file itself when empty; ;key-file= for one backend"`
	ServerName ServerName `env:"BACKEND_SERVER_NAME" needs:"BACKENDS*=https:|CANARY_BACKENDS*=https:|MIRROR_BACKENDS*=https:" zero:"of each backend's URL" doc:"name, or address, that the backends' certificates must be for, which is sent to them as SNI; that of each backend's URL when empty; BACKEND_HOST does not change it; ;server-name= for one backend"`

	Auth identity.Config

	DNSRefresh     time.Duration `env:"BALANCER_DNS_REFRESH" envDefault:"10s" min:"1s" needs:"BACKENDS*=dns+|CANARY_BACKENDS*=dns+|MIRROR_BACKENDS*=dns+" doc:"how often dns+ names are looked up again, give or take a tenth; until a name first resolves, more often"`
	PanicThreshold int           `env:"PANIC_THRESHOLD" envDefault:"0" min:"0" max:"100" needs:"OUTLIER_FAILURES|PROBE_MODE!=off" zero:"never" doc:"percent of backends under which all are used again, fit or not; 0: never"`
	SlowStart      time.Duration `env:"BALANCER_SLOW_START" envDefault:"0s" min:"0" needs:"BALANCER!=hash" zero:"at once" doc:"over how long the weight of a backend that comes back grows from a tenth to all; 0 gives it all at once; hash does without"`

	Retry   RetryConfig
	Outlier OutlierConfig
}

// With returns c for whoever tries again by other rules.
func (c Config) With(retry RetryConfig) Config {
	c.Retry = retry
	return c
}

// beside returns what c is for other backends, which are not the only ones: there is no
// need to use those that are not fit.
func (c Config) beside(backends Members) Config {
	c.Backends, c.PanicThreshold = backends, 0
	return c
}

// aside returns what c is for backends whose answers nobody gets: nothing is tried again
// for them, nor kept with one.
func (c Config) aside(backends Members) Config {
	c.Backends, c.Retry, c.StickyCookie = backends, RetryConfig{}, ""
	return c
}
