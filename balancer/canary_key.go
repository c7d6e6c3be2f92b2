package balancer

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/config"
)

// CanaryKey says what of a request keeps it on one side of a canary. The zero value
// is nothing.
type CanaryKey struct{ key HashKey }

// UnmarshalText parses client-ip, header:NAME or cookie:NAME.
func (k *CanaryKey) UnmarshalText(text []byte) error {
	switch source, _, _ := strings.Cut(string(text), ":"); source {
	case "client-ip", "header", "cookie":
		return k.key.UnmarshalText(text)
	}
	return errors.New("must be client-ip, header:NAME or cookie:NAME")
}

// MarshalText renders the key as UnmarshalText reads it.
func (k CanaryKey) MarshalText() ([]byte, error) {
	if k == (CanaryKey{}) {
		return nil, nil
	}
	return k.key.MarshalText()
}

// FieldName is the name of a header field. Empty, it stands for none.
type FieldName string

// UnmarshalText checks that the name is one.
func (n *FieldName) UnmarshalText(text []byte) error {
	if config.IsOff(text) {
		*n = ""
		return nil
	}
	if len(text) > 0 && !httpguts.ValidHeaderFieldName(string(text)) {
		return fmt.Errorf("%q cannot be the name of a field; one looks like X-Canary", text)
	}
	*n = FieldName(http.CanonicalHeaderKey(string(text)))
	return nil
}
