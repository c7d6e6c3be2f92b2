package balancer

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"spangate/handler/config"
)

// Algorithm names a way to choose among ready backends.
type Algorithm string

// The algorithms, each in a file of its name.
const (
	RoundRobin    Algorithm = "round-robin"
	LeastRequests Algorithm = "least-requests"
	PowerOfTwo    Algorithm = "power-of-two"
	PeakEWMA      Algorithm = "peak-ewma"
	Random        Algorithm = "random"
	Hash          Algorithm = "hash"
)

// pickers makes a picker for each algorithm. key is what [Hash] hashes.
var pickers = map[Algorithm]func(key func(*http.Request) string) picker{
	RoundRobin:    keyless(newRoundRobin),
	LeastRequests: keyless(newLeastRequests),
	PowerOfTwo:    keyless(newPowerOfTwo),
	PeakEWMA:      keyless(newPeakEWMA),
	Random:        keyless(newRandom),
	Hash:          newHash,
}

func keyless(newPicker func() picker) func(func(*http.Request) string) picker {
	return func(func(*http.Request) string) picker { return newPicker() }
}

// picker returns a new picker of the algorithm. The zero value is [RoundRobin].
// key returns what [Hash] hashes of a request; the others do without, and it
// may be nil for them. Pickers keep state: a pool needs one of its own.
func (a Algorithm) picker(key func(*http.Request) string) picker {
	return pickers[cmp.Or(a, RoundRobin)](key)
}

// next returns a picker for further attempts at a request, or nil, which draws by
// chance: for algorithms that know more of a backend than its turn, one of its
// own, so that what it chooses takes nobody's turn.
func (a Algorithm) next(key func(*http.Request) string) picker {
	switch a {
	case "", RoundRobin, Random:
		return nil
	}
	return a.picker(key)
}

// UnmarshalText parses the name of an algorithm.
func (a *Algorithm) UnmarshalText(text []byte) error {
	return config.OneOf(a, text, slices.Sorted(maps.Keys(pickers))...)
}
