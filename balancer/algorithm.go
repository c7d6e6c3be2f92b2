package balancer

import (
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
var pickers = map[Algorithm]func(key func(*http.Request) string) Picker{
	RoundRobin:    keyless(NewRoundRobin),
	LeastRequests: keyless(NewLeastRequests),
	PowerOfTwo:    keyless(NewPowerOfTwo),
	PeakEWMA:      keyless(NewPeakEWMA),
	Random:        keyless(NewRandom),
	Hash:          NewHash,
}

func keyless(newPicker func() Picker) func(func(*http.Request) string) Picker {
	return func(func(*http.Request) string) Picker { return newPicker() }
}

// Picker returns a new picker of the algorithm, or nil for an unknown name.
// key returns what [Hash] hashes of a request; the others do without, and it
// may be nil for them. Pickers keep state: a pool needs one of its own.
func (a Algorithm) Picker(key func(*http.Request) string) Picker {
	if newPicker := pickers[a]; newPicker != nil {
		return newPicker(key)
	}
	return nil
}

// UnmarshalText parses the name of an algorithm.
func (a *Algorithm) UnmarshalText(text []byte) error {
	return config.OneOf(a, text, slices.Sorted(maps.Keys(pickers))...)
}
