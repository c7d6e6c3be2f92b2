package export

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// attributes are the key=value pairs of OTEL_RESOURCE_ATTRIBUTES, decoded.
type attributes map[string]string

// UnmarshalText parses a comma list of key=value with percent-encoded values.
// A key that comes twice has the last value.
func (a *attributes) UnmarshalText(text []byte) error {
	pairs, err := parsePairs(string(text))
	*a = pairs
	return err
}

// MarshalText renders the list as UnmarshalText reads it, sorted by key.
func (a attributes) MarshalText() ([]byte, error) { return formatPairs(a), nil }

// headers are sent with every export; they often hold a credential. Formatting
// and logging them shows their names alone.
type headers map[string]string

// UnmarshalText parses a comma list of key=value with percent-encoded values.
// Its errors do not repeat the text.
func (h *headers) UnmarshalText(text []byte) error {
	pairs, err := parsePairs(string(text))
	if err != nil {
		return errors.New("must be a comma list of key=value with percent-encoded values")
	}
	for name, value := range pairs {
		if strings.ContainsFunc(name, notToken) {
			return errors.New("holds a name that is not a header's")
		}
		if strings.ContainsFunc(value, notVisible) {
			return fmt.Errorf("holds a value for %s that cannot be sent in a header", name)
		}
	}
	*h = pairs
	return nil
}

// MarshalText renders the list as UnmarshalText reads it, values included.
func (h headers) MarshalText() ([]byte, error) { return formatPairs(h), nil }

// String names the headers and hides their values.
func (h headers) String() string {
	names := slices.Sorted(maps.Keys(h))
	for i := range names {
		names[i] += "=***"
	}
	return strings.Join(names, ",")
}

// GoString is String, so that %#v hides the values too.
func (h headers) GoString() string { return h.String() }

// LogValue is String.
func (h headers) LogValue() slog.Value { return slog.StringValue(h.String()) }

func parsePairs(list string) (map[string]string, error) {
	pairs := map[string]string{}
	var wrong []error
	for item := range strings.SplitSeq(list, ",") {
		// Lists put together by scripts often end with a comma.
		if strings.TrimSpace(item) == "" {
			continue
		}
		key, value, ok := strings.Cut(item, "=")
		key = strings.TrimSpace(key)
		if !ok || key == "" {
			wrong = append(wrong, fmt.Errorf("%q must be key=value", strings.TrimSpace(item)))
			continue
		}
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if err != nil {
			wrong = append(wrong, fmt.Errorf("value of %s: a %% that is meant as such is written %%25", key))
		} else if !utf8.ValidString(decoded) {
			wrong = append(wrong, fmt.Errorf("value of %s: must be UTF-8", key))
		}
		pairs[key] = decoded
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return pairs, nil
}

func formatPairs(pairs map[string]string) []byte {
	var b []byte
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		if len(b) > 0 {
			b = append(b, ',')
		}
		// QueryEscape escapes the comma, which PathEscape leaves.
		value := strings.ReplaceAll(url.QueryEscape(pairs[key]), "+", "%20")
		b = append(append(append(b, key...), '='), value...)
	}
	return b
}

// notToken reports whether r may not be in the name of a header (RFC 9110 §5.6.2).
func notToken(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// notVisible reports whether r may not be in the value of a header over both
// protocols; gRPC takes printable ASCII alone.
func notVisible(r rune) bool { return r < ' ' || r > '~' }
