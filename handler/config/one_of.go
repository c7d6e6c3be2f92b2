package config

import (
	"fmt"
	"slices"
)

// OneOf sets to to the one of names that text is. For names that are read in any
// case text is made lower case before.
func OneOf[T ~string](to *T, text []byte, names ...T) error {
	if i := slices.Index(names, T(text)); i >= 0 {
		*to = names[i]
		return nil
	}
	var words []string
	for _, name := range names {
		words = append(words, string(name))
	}
	return fmt.Errorf("must be %s", either(words))
}
