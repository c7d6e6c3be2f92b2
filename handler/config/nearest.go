package config

import "slices"

// Nearest returns the one of known that is most likely meant by name: of which two
// letters change places in it, or which is nearest, within two slips that are less than
// half of it. It is empty where none is.
func Nearest(name string, known []string) string {
	swapped := []byte(name)
	for i := range len(name) - 1 {
		swapped[i], swapped[i+1] = name[i+1], name[i]
		if slices.Contains(known, string(swapped)) {
			return string(swapped)
		}
		swapped[i], swapped[i+1] = name[i], name[i+1]
	}
	near, slips := nearest(name, known, 2*slip)
	if slips > 2 || 2*slips >= len(name) {
		return ""
	}
	return near
}
