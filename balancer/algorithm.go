package balancer

import (
	"fmt"
	"slices"
	"strings"
)

// Algorithm names a way to choose among ready backends.
type Algorithm string

// The algorithms, each in a file of its name.
const (
	RoundRobin    Algorithm = "round-robin"
	LeastRequests Algorithm = "least-requests"
	Random        Algorithm = "random"
)

var pickers = map[Algorithm]func() Picker{
	RoundRobin:    NewRoundRobin,
	LeastRequests: NewLeastRequests,
	Random:        NewRandom,
}

// Picker returns a new picker of the algorithm, or nil for an unknown name.
// Pickers keep state: a pool needs one of its own.
func (a Algorithm) Picker() Picker {
	if newPicker := pickers[a]; newPicker != nil {
		return newPicker()
	}
	return nil
}

// UnmarshalText parses the name of an algorithm.
func (a *Algorithm) UnmarshalText(text []byte) error {
	if _, ok := pickers[Algorithm(text)]; !ok {
		var names []string
		for name := range pickers {
			names = append(names, string(name))
		}
		slices.Sort(names)
		return fmt.Errorf("must be one of %s", strings.Join(names, ", "))
	}
	*a = Algorithm(text)
	return nil
}
