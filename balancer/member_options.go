package balancer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parseOptions reads what follows a member's URL. Its error joins all that is wrong
// with it.
func (m *Member) parseOptions(options string) error {
	if options == "" {
		return nil
	}
	var wrong []error
	given := map[string]bool{}
	for option := range strings.SplitSeq(options, ";") {
		key, value, _ := strings.Cut(option, "=")
		err := m.parseOption(key, value)
		switch {
		case err == errNoOption:
			err = fmt.Errorf("option %q is none of weight=N, host=RULE, service=NAME, proxy-protocol=v1|v2, auth=KIND, audience=URL, server-name=NAME, ca-file=PATH, cert-file=PATH, key-file=PATH, fingerprint=sha256:HEX and tls-verify=off", option)
		case given[key] && key != "fingerprint":
			err = fmt.Errorf("%s is given twice", key)
		}
		given[key] = true
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(append(wrong, m.tls.check(m.scheme))...)
}

var errNoOption = errors.New("there is no such option")

func (m *Member) parseOption(key, value string) error {
	switch key {
	case "weight":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxWeight {
			return fmt.Errorf("weight %q must be a whole number from 1 to %d", value, maxWeight)
		}
		m.Weight = n
	case "host":
		if err := m.host.UnmarshalText([]byte(value)); err != nil {
			return fmt.Errorf("host %q %w", value, err)
		}
	case "service":
		return m.parseService(value)
	case "proxy-protocol":
		return m.parseProxyProtocol(value)
	case "auth", "audience":
		return m.auth.parse(key, value)
	default:
		return m.tls.parse(key, value)
	}
	return nil
}

// longestService bounds the name of a service: it stands on each span of an attempt.
const longestService = 255

// parseService reads what a backend's own telemetry calls the service that it is of.
func (m *Member) parseService(name string) error {
	ends := func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) } // a list, or is not seen
	if name == "" || len(name) > longestService || !utf8.ValidString(name) || strings.ContainsFunc(name, ends) {
		return fmt.Errorf("service %.300q must be the service.name of the backend's own telemetry: 1 to %d bytes that can be printed, without blanks", name, longestService)
	}
	m.service = name
	return nil
}

// MarshalText renders the list as UnmarshalText reads it.
func (m Members) MarshalText() ([]byte, error) {
	var b []byte
	for i, member := range m {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, member.Name...)
		if member.Weight > 1 {
			b = fmt.Appendf(b, ";weight=%d", member.Weight)
		}
		if member.host != "" {
			b = fmt.Appendf(b, ";host=%s", member.host)
		}
		if member.service != "" {
			b = fmt.Appendf(b, ";service=%s", member.service)
		}
		b = member.tls.append(member.auth.append(member.appendProxyProtocol(b)))
	}
	return b, nil
}
