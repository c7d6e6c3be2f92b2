package probe

import "time"

// Config says how often a backend is asked whether it is fit to serve.
type Config struct {
	Timeout time.Duration `env:"PROBE_TIMEOUT" envDefault:"2s" min:"1ms" doc:"longest wait for a backend's answer to a probe"`
}
