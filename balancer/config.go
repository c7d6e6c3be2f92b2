package balancer

import "time"

// Config says where requests go and how one backend is chosen among several.
type Config struct {
	Backends  Members   `env:"BACKENDS,required" example:"http://app-1:3000,http://app-2:3000" doc:"comma list of backends: http, https, h2c or http+unix URLs, or echo:NAME, a built-in demonstration backend; options follow each with a semicolon: http://a:3000;weight=3;host=preserve"`
	Algorithm Algorithm `env:"BALANCER" envDefault:"round-robin" doc:"round-robin (weighted, smooth), least-requests (weighted) or random (weighted)"`

	ConnectTimeout  time.Duration `env:"BACKEND_CONNECT_TIMEOUT" envDefault:"2s" min:"1ms" doc:"longest wait for a connection to a backend, name lookup included; TLS handshakes get as much again"`
	ResponseTimeout time.Duration `env:"BACKEND_RESPONSE_TIMEOUT" envDefault:"30s" min:"0" doc:"longest wait for a backend's response headers once the request is sent; 0 waits for ever"`
	IdleTimeout     time.Duration `env:"BACKEND_IDLE_TIMEOUT" envDefault:"90s" min:"0" doc:"how long an unused connection to a backend is kept; 0 keeps it until the backend closes it"`
	MaxConnections  int           `env:"BACKEND_MAX_CONNECTIONS" envDefault:"0" min:"0" doc:"most connections to one backend; further requests wait for a free one; 0 sets no limit"`
	Host            HostRule      `env:"BACKEND_HOST" envDefault:"auto" doc:"Host header sent to a backend: preserve (the client's), backend (its URL's) or auto (the backend's for https, else the client's)"`

	CAFile   string `env:"BACKEND_CA_FILE" doc:"PEM file of the authorities that may sign the backends' certificates; the system's when empty"`
	CertFile string `env:"BACKEND_CERT_FILE" doc:"PEM file of the client certificate shown to backends"`
	KeyFile  string `env:"BACKEND_KEY_FILE" doc:"PEM file of the key of BACKEND_CERT_FILE"`

	Retry RetryConfig
}

// Check returns what is wrong with the files that the configuration names: all
// that [New] would refuse.
func (c Config) Check() error {
	_, err := clientTLS(c)
	return err
}

// RetryConfig says when a failed attempt is followed by another one. The zero
// value never tries again.
type RetryConfig struct {
	Attempts   int           `env:"RETRY_ATTEMPTS" envDefault:"2" min:"0" doc:"further attempts, at other backends, for a request of which no byte reached the first; 0 turns retries off"`
	Backoff    time.Duration `env:"RETRY_BACKOFF" envDefault:"25ms" min:"0" doc:"wait before a backend that was tried already is tried again; doubles each time"`
	MaxBackoff time.Duration `env:"RETRY_MAX_BACKOFF" envDefault:"1s" min:"0" doc:"longest such wait"`
}
