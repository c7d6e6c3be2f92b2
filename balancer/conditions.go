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
type Conditions struct {
	connect, reset, timeout bool
	statuses                []int
}

// UnmarshalText parses a list of conditions. Its error joins one for each that is
// wrong.
func (c *Conditions) UnmarshalText(text []byte) error {
	*c = Conditions{}
	var wrong []error
	for word := range strings.SplitSeq(string(text), ",") {
		switch word = strings.TrimSpace(word); word {
		case "connect":
			c.connect = true
		case "reset":
			c.reset = true
		case "timeout":
			c.timeout = true
		default:
			status, err := strconv.Atoi(word)
			switch {
			case err != nil || status < 100 || status > 599:
				wrong = append(wrong, fmt.Errorf("%q must be connect, reset, timeout or a status code", word))
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
	return []byte(strings.Join(words, ",")), nil
}

// match reports whether an attempt that went like o has failed in one of these
// ways. What the client caused never counts.
func (c *Conditions) match(o Outcome) bool {
	if o.Err == nil {
		return o.Status >= http.StatusBadRequest && slices.Contains(c.statuses, o.Status)
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

// timeouts reports whether a response that does not come in time is among them.
func (c *Conditions) timeouts() bool {
	return c.match(Outcome{Err: &fault.Error{Type: fault.ResponseTimeout}})
}
