package config_test

import (
	"fmt"
	"time"

	"spangate/handler/config"
)

func ExampleLoad() {
	type server struct {
		Port  uint16 `env:"PORT" envDefault:"8080" doc:"TCP port to listen on"`
		Token string `env:"TOKEN" secret:"true" doc:"what clients show to come in"`
		Retry struct {
			Attempts int           `env:"ATTEMPTS" envDefault:"2" min:"0" doc:"further attempts after the first"`
			Backoff  time.Duration `env:"BACKOFF" envDefault:"25ms" min:"0" doc:"wait before the next attempt"`
		} `envPrefix:"RETRY_"`
	}

	var cfg server
	variables, _, err := config.Load(&cfg, []string{"TOKEN=s3cret", "RETRY_ATTEMPTS=5"})
	fmt.Println(cfg.Port, cfg.Retry.Attempts, err)
	for _, v := range variables {
		fmt.Println(v.Name, v.Origin, v.Shown())
	}

	_, _, err = config.Load(&cfg, []string{"PORT=http", "RETRY_BACKOFF=10", "RETRY_ATEMPTS=5"})
	fmt.Println(err)

	// Output:
	// 8080 5 <nil>
	// PORT default 8080
	// TOKEN set ***
	// RETRY_ATTEMPTS set 5
	// RETRY_BACKOFF default 25ms
	// PORT="http": must be a whole number from 0 to 65535
	// RETRY_BACKOFF="10": must be a duration such as 500ms, 10s or 1m30s
	// RETRY_ATEMPTS: unknown; did you mean RETRY_ATTEMPTS?
}
