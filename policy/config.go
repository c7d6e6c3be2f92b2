package policy

import (
	"time"

	"spangate/policy/size"
)

// Config says which requests are let in. The zero value lets in all.
type Config struct {
	RequestTimeout time.Duration `env:"REQUEST_TIMEOUT" envDefault:"0s" min:"0" doc:"deadline of a whole request, retries included; 0 sets none"`
	MaxRequestBody size.Bytes    `env:"MAX_REQUEST_BODY" envDefault:"0" min:"0" doc:"largest request body, such as 10MiB; 0 sets no limit"`
}
