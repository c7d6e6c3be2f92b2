package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/handler"
)

// maxKeyValue is the length up to which the value of a header makes a key. It
// has room for a token with many claims, and bounds the time for hashing.
const maxKeyValue = 8 << 10

// RateLimitKey says whose requests are counted together. As text it is
// client-ip, header:NAME or global, or several of them joined with "+": then
// only requests that have all in common are. The zero value is client-ip.
//
// An IPv6 client is its /64 network, as one subscriber has at least as much.
//
// The value of a header is the client's to choose. A request that has none, an
// empty or an oversized one, or several, among which backends would choose
// differently, counts by client-ip alone: leaving the header out gains nothing.
type RateLimitKey struct {
	parts []keyPart
}

type keyPart struct {
	source string // client-ip, header or global
	header string // its name in canonical form
}

// UnmarshalText parses parts joined with "+".
func (k *RateLimitKey) UnmarshalText(text []byte) error {
	var parts []keyPart
	var wrong []error
	unknown := false
	for item := range strings.SplitSeq(string(text), "+") {
		source, name, named := strings.Cut(item, ":")
		part := keyPart{source: source}
		switch {
		case source == "header" && !httpguts.ValidHeaderFieldName(name):
			wrong = append(wrong, fmt.Errorf("must name a header, such as header:X-Tenant; %q cannot be one", name))
		case source == "header":
			part.header = http.CanonicalHeaderKey(name)
		case source != "client-ip" && source != "global":
			unknown = true
		case named:
			wrong = append(wrong, fmt.Errorf("%s takes no name", source))
		}
		if !unknown && slices.Contains(parts, part) {
			wrong = append(wrong, fmt.Errorf("%s is there twice", item))
		}
		parts = append(parts, part)
	}
	if unknown {
		wrong = append(wrong, errors.New("must be client-ip, header:NAME or global, or several joined with +"))
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	k.parts = parts
	return nil
}

// MarshalText renders the key as UnmarshalText reads it.
func (k RateLimitKey) MarshalText() ([]byte, error) {
	if len(k.parts) == 0 {
		return []byte("client-ip"), nil
	}
	var b []byte
	for i, part := range k.parts {
		if i > 0 {
			b = append(b, '+')
		}
		b = append(b, part.source...)
		if part.header != "" {
			b = append(append(b, ':'), part.header...)
		}
	}
	return b, nil
}

// source returns what finds the key of a request.
func (k RateLimitKey) source() func(*http.Request) Key {
	var headers, sources []string
	byClient := len(k.parts) == 0
	for _, part := range k.parts {
		sources = append(sources, part.source)
		switch part.source {
		case "client-ip":
			byClient = true
		case "header":
			headers = append(headers, part.header)
		}
	}
	client := func(r *http.Request) Key { return Key{ID: network(handler.ClientOf(r).Addr), Source: "client-ip"} }
	switch {
	case len(headers) > 0:
		source := strings.Join(sources, "+")
		return func(r *http.Request) Key {
			var room [256]byte
			text := room[:0]
			if byClient {
				id := network(handler.ClientOf(r).Addr)
				text = append(text, id[:]...)
			}
			for _, name := range headers {
				value := only(r, name)
				if value == "" || len(value) > maxKeyValue {
					return client(r)
				}
				text = append(append(text, name...), ':')
				text = binary.AppendUvarint(text, uint64(len(value))) // so that no value can look like two
				text = append(text, value...)
			}
			sum := sha256.Sum256(text)
			return Key{ID: [16]byte(sum[:16]), Source: source}
		}
	case byClient:
		return client
	}
	return func(*http.Request) Key { return Key{Source: "global"} }
}

// only returns the value of a header that r has once, or "".
func only(r *http.Request, name string) string {
	if name == "Host" {
		return r.Host // not among the fields
	}
	if values := r.Header[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// network returns what is one client: an IPv4 address, or an IPv6 /64.
func network(addr netip.Addr) [16]byte {
	if !addr.IsValid() { // the peer of a Unix socket has none
		return [16]byte{}
	}
	id := addr.As16()
	if !addr.Unmap().Is4() {
		clear(id[8:])
	}
	return id
}
