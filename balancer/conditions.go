package balancer

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"spangate/handler/fault"
)

// Conditions says which attempts have failed. As text it is a comma list of
//
//	connect     no connection: refused, timed out, TLS, name
//	reset       the connection ended before the response's header
//	timeout     no header in time
//	100 … 599   a response with this status, and the failures that the proxy
//	            itself answers with it: 502 and 504
//	grpc:NAME   a response with this status of gRPC, such as grpc:unavailable
type Conditions struct {
	connect, reset, timeout bool
	statuses                []int
	codes                   uint32 // one bit for each of gRPC
}

// UnmarshalText parses a list of conditions. Its error joins one for each that is
// wrong.
func (c *Conditions) UnmarshalText(text []byte) error {
	*c = Conditions{}
	var wrong []error
	for word := range strings.SplitSeq(string(text), ",") {
		word = strings.TrimSpace(word)
		name, grpc := strings.CutPrefix(word, "grpc:")
		switch {
		case word == "connect":
			c.connect = true
		case word == "reset":
			c.reset = true
		case word == "timeout":
			c.timeout = true
		case grpc:
			code, known := fault.GRPCCodeNamed(name)
			switch {
			case !known:
				wrong = append(wrong, fmt.Errorf("%q must be grpc: and one of %s", word, strings.Join(fault.GRPCWords(), ", ")))
			case code == fault.GRPCOK:
				wrong = append(wrong, errors.New(word+" is not the status of a failure"))
			}
			c.codes |= 1 << code
		default:
			status, err := strconv.Atoi(word)
			switch {
			case err != nil || status < 100 || status > 599:
				wrong = append(wrong, fmt.Errorf("%q must be connect, reset, timeout, a status code or grpc:NAME", word))
			case status < 400:
				wrong = append(wrong, errors.New(word+" is not the status of a failure"))
			case !slices.Contains(c.statuses, status):
				c.statuses = append(c.statuses, status)
			}
		}
	}
	return errors.Join(wrong...)
}

// MarshalText renders the list as UnmarshalText reads it.
func (c Conditions) MarshalText() ([]byte, error) {
	var words []string
	for word, on := range map[string]bool{"connect": c.connect, "reset": c.reset, "timeout": c.timeout} {
		if on {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	for _, status := range c.statuses {
		words = append(words, strconv.Itoa(status))
	}
	for _, word := range fault.GRPCWords() {
		if code, _ := fault.GRPCCodeNamed(word); c.lists(code) {
			words = append(words, "grpc:"+word)
		}
	}
	return []byte(strings.Join(words, ",")), nil
}

// match reports whether an attempt that went like o has failed in one of these
// ways. What the client caused never counts.
func (c *Conditions) match(o Outcome) bool {
	if o.Err == nil {
		return o.Status >= http.StatusBadRequest && slices.Contains(c.statuses, o.Status) || c.lists(o.Code)
	}
	named := false
	switch o.Err.Type {
	case fault.ConnectionRefused, fault.ConnectError, fault.ConnectTimeout, fault.DNSError, fault.TLSHandshakeError:
		named = c.connect
	case fault.ConnectionReset, fault.BackendReset:
		named = c.reset
	case fault.ResponseTimeout:
		named = c.timeout
	case fault.MalformedResponse: // has no word of its own
	default:
		return false
	}
	return named || slices.Contains(c.statuses, o.Err.Type.Status())
}

// lists reports whether a code of gRPC is among them. OK never is.
func (c *Conditions) lists(code fault.GRPCCode) bool { return c.codes>>code&1 != 0 }

// timeouts reports whether a response that does not come in time is among them.
func (c *Conditions) timeouts() bool {
	return c.match(Outcome{Err: &fault.Error{Type: fault.ResponseTimeout}})
}
