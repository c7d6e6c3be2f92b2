package export

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"spangate/handler/config"
)

// target is the collector of one signal, resolved from the general variables
// and the signal's own.
type target struct {
	signal   string // traces, metrics or logs
	protocol protocol
	url      string      // with the signal's path
	tls      *tls.Config // nil sends in the clear
	headers  headers
	timeout  time.Duration // of one attempt
	gzip     bool
}

// Where collectors listen unless they are told otherwise.
const defaultHTTP, defaultGRPC = "http://localhost:4318", "http://localhost:4317"

// resolve merges the general settings with those of one signal.
func resolve(f *faults, signal string, general, own *OTLP) target {
	t := target{
		signal:   signal,
		protocol: cmp.Or(own.Protocol, general.Protocol, "http/protobuf"),
		headers:  general.Headers,
		timeout:  cmp.Or(own.Timeout, general.Timeout).or(10 * time.Second),
		gzip:     cmp.Or(own.Compression, general.Compression) == "gzip",
	}
	if len(own.Headers) > 0 {
		t.headers = own.Headers
	}

	endpoint := either(&own.Endpoint, &general.Endpoint)
	var secure bool
	var err error
	switch t.protocol {
	case "http/protobuf":
		secure, err = t.useHTTP(cmp.Or(*endpoint, defaultHTTP), own.Endpoint == "")
	case "grpc":
		insecure := cmp.Or(own.Insecure, general.Insecure) == "true"
		secure, err = t.useGRPC(cmp.Or(*endpoint, defaultGRPC), insecure)
	default:
		f.add(config.Wrong(either(&own.Protocol, &general.Protocol), "%w", new(protocol).UnmarshalText([]byte(t.protocol))))
		return t
	}
	switch {
	case strings.Contains(*endpoint, "@"): // which may hold a password
		f.add(config.WrongFor(config.Fields{endpoint}, err))
	default:
		f.add(config.WrongFor(endpoint, err))
	}
	t.tls = certificates(f, general, own, secure || err != nil) // looked at even if there is no endpoint to show them to
	return t
}

// either returns the field of one signal, or the general one if that is not set.
func either[T comparable](own, general *T) *T {
	if *own != *new(T) {
		return own
	}
	return general
}

var (
	errCredentials = errors.New("must not hold credentials: OTEL_EXPORTER_OTLP_HEADERS is for them")
	errScheme      = errors.New("must be a URL such as http://collector:4318 or https://collector:4318")
)

// useHTTP sets where http/protobuf goes. A general endpoint is a base to which
// the signal's path is added; a signal's own is used as it is.
func (t *target) useHTTP(endpoint string, general bool) (secure bool, err error) {
	u, err := parseURL(endpoint)
	if err != nil {
		return false, err
	}
	if general {
		u = u.JoinPath("v1", t.signal)
	} else if u.Path == "" {
		u.Path = "/"
	}
	t.url = u.String()
	return u.Scheme == "https", nil
}

// useGRPC sets where grpc goes: host:port, alone or after a scheme that says
// whether to use TLS.
func (t *target) useGRPC(endpoint string, insecure bool) (secure bool, err error) {
	if !strings.Contains(endpoint, "://") {
		if _, _, err := net.SplitHostPort(endpoint); err != nil {
			return false, errors.New("must be host:port or a URL such as http://collector:4317")
		}
		endpoint = map[bool]string{false: "https://", true: "http://"}[insecure] + endpoint
	}
	u, err := parseURL(endpoint)
	if err != nil {
		return false, err
	}
	if u.Path != "" && u.Path != "/" {
		return false, errors.New("must have no path when the protocol is grpc")
	}
	u.Path = grpcPaths[t.signal]
	t.url = u.String()
	return u.Scheme == "https", nil
}

// parseURL reads the URL of a collector. Its error joins all that is wrong with
// it, and shows nothing of one that holds an @.
func parseURL(endpoint string) (*url.URL, error) {
	if strings.Contains(endpoint, "@") && !strings.Contains(endpoint, "://") {
		return nil, errCredentials
	}
	if !strings.Contains(endpoint, "://") && strings.Contains(endpoint, ":") {
		return nil, fmt.Errorf("needs http:// or https:// before it: http://%s", endpoint)
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil && strings.Contains(endpoint, "@"):
		return nil, errCredentials
	case err != nil:
		return nil, errScheme
	}
	var wrong []error
	if u.User != nil {
		wrong = append(wrong, errCredentials)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		wrong = append(wrong, errScheme)
	}
	if u.RawQuery != "" {
		wrong = append(wrong, errors.New("must have no query"))
	}
	if u.Fragment != "" {
		wrong = append(wrong, errors.New("must have no fragment"))
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			wrong = append(wrong, fmt.Errorf("port %q must be 1 to 65535", port))
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return u, nil
}
