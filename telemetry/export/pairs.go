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

// UnmarshalText parses a comma list of percent-encoded key=value. A key that comes
// twice has the last value.
func (a *attributes) UnmarshalText(text []byte) error {
	pairs, err := parsePairs(string(text), decoded)
	*a = pairs
	return err
}

// MarshalText renders the list as UnmarshalText reads it, sorted by key.
func (a attributes) MarshalText() ([]byte, error) { return formatPairs(a, encoded), nil }

// headers are sent with every export; they often hold a credential. Formatting
// and logging them shows their names alone.
type headers map[string]string

// UnmarshalText parses a comma list of key=value with percent-encoded values; the
// names of headers may hold a % as it is. Its errors do not repeat the text.
func (h *headers) UnmarshalText(text []byte) error {
	pairs, err := parsePairs(string(text), func(name string) (string, error) { return name, nil })
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
func (h headers) MarshalText() ([]byte, error) {
	return formatPairs(h, func(name string) string { return name }), nil
}

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

// parsePairs parses a comma list of key=value, of which it decodes the values, and the
// keys by decodeKey.
func parsePairs(list string, decodeKey func(string) (string, error)) (map[string]string, error) {
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
		plainKey, err := decodeKey(key)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("key %s: %w", key, err))
		}
		plainValue, err := decoded(strings.TrimSpace(value))
		if err != nil {
			wrong = append(wrong, fmt.Errorf("value of %s: %w", key, err))
		}
		pairs[plainKey] = plainValue
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return pairs, nil
}

// decoded returns what a percent-encoded text stands for.
func decoded(text string) (string, error) {
	plain, err := url.PathUnescape(text)
	switch {
	case err != nil:
		return "", errors.New("a % that is meant as such is written %25")
	case !utf8.ValidString(plain):
		return "", errors.New("must be UTF-8")
	}
	return plain, nil
}

// encoded returns a text that [decoded] reads, without commas and equals signs.
func encoded(plain string) string {
	// QueryEscape escapes the comma, which PathEscape leaves.
	return strings.ReplaceAll(url.QueryEscape(plain), "+", "%20")
}

// formatPairs is the reverse of [parsePairs].
func formatPairs(pairs map[string]string, encodeKey func(string) string) []byte {
	var b []byte
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, encodeKey(key)...), '='), encoded(pairs[key])...)
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
