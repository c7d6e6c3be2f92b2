package balancer

import (
	"fmt"
	"math"
	"math/bits"
	"net/http"
	"strings"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"
)

const (
	// boundedLoad is how many times its part of the requests in flight a backend
	// may have before others get its keys.
	boundedLoad = 1.25
	// freeLoad is up to how many requests in flight no backend counts as loaded.
	// With few requests, the bound alone would part what one browser asks for at
	// once.
	freeLoad = 8
)

// newHash returns a picker that sends requests of the same key to the same
// backend, whichever proxy they come through and whatever backends were there
// before. It holds that as long as the backend has no more than 1.25 times its
// part, by weight, of all requests in flight; a key that is hotter spreads over
// others. A request whose key is "" goes where newRandom sends it. key is
// called concurrently.
//
// It is rendezvous hashing: each key has an order of preference of its own
// over all backends, and gets the first in it that has room. When a backend
// leaves, only its keys move, and not all to one neighbour; when one joins,
// only those move that prefer it. The usual ring needs hundreds of points for
// each backend to come near the shares that this has without a table. It looks
// at every backend for that, once: what the keys in use prefer is remembered.
func newHash(key func(*http.Request) string) picker {
	sets := prepared[preferences]{prepare: newPreferences}
	random := newRandom()
	return func(r *http.Request, ready []*Backend) *Backend {
		k := key(r)
		if k == "" {
			return random(r, ready)
		}
		p := sets.of(ready)
		h := hashString(k)
		i := p.favourite(h, ready)
		if ready[i].Active() < freeLoad {
			return ready[i]
		}
		total := int64(1) // the request in question
		for _, b := range ready {
			total += b.Active()
		}
		bound := boundedLoad * float64(total) / p.weight
		if roomy, ok := p.first(h, ready, bound); ok {
			return ready[roomy]
		}
		return ready[i] // the loads have changed since they were added up
	}
}

// preferences is what the order of preference of any key follows from.
type preferences struct {
	seeds   []uint64
	weights []float64 // as configured
	weight  float64   // their sum
	alike   bool      // all weights are the same
	known   *[knownKeys]atomic.Uint64
}

// knownKeys is of how many keys it is remembered which backend they prefer, at most.
const knownKeys = 1 << 12

func newPreferences(ready []*Backend) preferences {
	p := preferences{alike: true, known: new([knownKeys]atomic.Uint64)}
	for _, b := range ready {
		w := float64(max(b.Weight, 1))
		p.seeds = append(p.seeds, mix(hashString(b.ID())))
		p.weights = append(p.weights, w)
		p.weight += w
		p.alike = p.alike && w == p.weights[0]
	}
	return p
}

// favourite returns the most preferred backend of all. A key has one place, which it
// shares with others, and of which the one asked for last is known, as the most of its
// mixed bits above the number of its backend, from 1.
func (p *preferences) favourite(key uint64, ready []*Backend) int {
	const number = 1<<16 - 1
	mixed := mix(key)
	place := &p.known[mixed>>52%knownKeys]
	if known := place.Load(); known&number != 0 && known&^number == mixed<<16 {
		return int(known&number) - 1
	}
	i, _ := p.first(key, ready, math.Inf(1))
	if i < number {
		place.Store(mixed<<16 | uint64(i+1))
	}
	return i
}

// first returns the most preferred backend of those that, for their weight,
// have fewer requests in flight than bound, and whether there is any.
func (p *preferences) first(key uint64, ready []*Backend, bound float64) (best int, ok bool) {
	least := math.Inf(1)
	var most uint64
	for i, seed := range p.seeds {
		if !math.IsInf(bound, 1) && !hasRoom(ready[i], bound*p.weights[i]) {
			continue
		}
		h := mix(key ^ seed)
		if p.alike {
			if h >= most {
				best, most, ok = i, h, true
			}
			continue
		}
		// Exponentially distributed, and with a rate of its weight: the backend is
		// the least with a chance of just its share, independent of the others.
		// For like weights it is the same order as above.
		if d := -math.Log((float64(h>>11)+0.5)/(1<<53)) / p.weights[i]; d < least {
			best, least, ok = i, d, true
		}
	}
	return best, ok
}

// hasRoom reports whether b may have one more request, within bound.
func hasRoom(b *Backend, bound float64) bool {
	active := b.Active()
	return active < freeLoad || active < int64(math.Ceil(bound))
}

// hashString is FNV-1a, of 64 bits. Unlike hash/maphash it says the same in
// every process. That it is easy to find two strings of the same hash gains
// nobody anything: the same string twice would do.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads each bit of h over all: FNV's high bits know little of the last
// bytes, in which keys and names tend to differ.
func mix(h uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	h = hi ^ lo
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// HashKey says what of a request [Hash] hashes. The zero value, as
// "client-ip", is the client's address.
type HashKey struct {
	source string // client-ip, header, cookie or path
	name   string // of the header, in canonical form, or of the cookie
}

// of returns the key of a request that is to be sent, or "" where it has
// none. clientIP returns the address of the client of such a request; who that
// is depends on which peers are trusted.
func (k HashKey) of(clientIP func(*http.Request) string) func(*http.Request) string {
	name := k.name
	switch k.source {
	case "header":
		if name == "Host" {
			return func(r *http.Request) string { return r.Host } // not among the fields
		}
		return func(r *http.Request) string {
			if lines := r.Header[name]; len(lines) > 0 {
				return lines[0]
			}
			return ""
		}
	case "cookie":
		return func(r *http.Request) string {
			for value := range cookies(r.Header, name) {
				return value
			}
			return ""
		}
	case "path":
		return func(r *http.Request) string { return r.URL.Path }
	}
	return clientIP
}

// Header returns the name of the header field that the key is in, or "".
func (k HashKey) Header() string {
	if k.source == "header" {
		return k.name
	}
	return ""
}

// UnmarshalText parses client-ip, header:NAME, cookie:NAME or path.
func (k *HashKey) UnmarshalText(text []byte) error {
	source, name, named := strings.Cut(string(text), ":")
	switch source {
	case "client-ip", "path":
		if named {
			return fmt.Errorf("%s takes no name", source)
		}
	case "header":
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("must name a header, such as header:X-User; %q cannot be one", name)
		}
		name = http.CanonicalHeaderKey(name)
	case "cookie":
		if !httpguts.ValidHeaderFieldName(name) { // a token too, RFC 6265 §4.1.1
			return fmt.Errorf("must name a cookie, such as cookie:session; %q cannot be one", name)
		}
	default:
		return fmt.Errorf("must be client-ip, header:NAME, cookie:NAME or path")
	}
	*k = HashKey{source, name}
	return nil
}

// MarshalText renders the key as UnmarshalText reads it.
func (k HashKey) MarshalText() ([]byte, error) {
	switch {
	case k.source == "":
		return []byte("client-ip"), nil
	case k.name == "":
		return []byte(k.source), nil
	}
	return []byte(k.source + ":" + k.name), nil
}
