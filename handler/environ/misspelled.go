package environ

import (
	"maps"
	"slices"
	"strings"
)

// prefixes are ours alone once a known name has them: nobody else in a
// container reads a variable that begins so.
// Of those that guard the door even a slip within the first word counts.
var prefixes = []string{
	"BACKEND_", "BACKENDS_", "BALANCER_", "CORS_", "OUTLIER_", "PROBE_", "RATE_", "RETRY_", "SHUTDOWN_",
	"ALLOW_CIDR", "AUTH_", "DENY_CIDR", "MAX_CONCURRENT_", "MAX_QUEUE", "MAX_REQUEST_", "TRUSTED_PROX",
}

// doors begin the names of what keeps people out. Of those an empty one counts
// too: it would be missed as soon as it is not.
var doors = []string{"ALLOW_CIDR", "AUTH_", "DENY_CIDR", "RATE_LIMIT"}

// misspelled returns a line for each given name that is not known but seems to
// be meant for us: it means the same as one of ours, or is spelled nearly alike.
// It is wrong under a prefix of ours, or when a door would be open that somebody
// thinks closed. Else it is a warning, for which it must be one or two slips away
// from a known name; not from HOST, PORT and the like, to which too much is near.
func misspelled(given map[string]string, known []string) (wrong, warnings []string) {
	begins := func(name string, prefixes []string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool {
			return strings.HasPrefix(name, p) && slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k+"_", p) })
		})
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		upper := strings.ToUpper(name)
		plainly, ours := strings.CutPrefix(upper, "SPANGATE_") // as others begin the names of theirs
		m, isMeant := meant[plainly]
		isMeant = isMeant && (m.name == "" || slices.Contains(known, m.name))
		near, slips := nearest(plainly, alike(plainly, known))
		if !isMeant {
			m = meaning{name: near, door: slips <= 2 && begins(near, doors)}
		}
		switch line := Plain(name) + ": " + m.String(); {
		case slices.Contains(known, name), given[name] == "" && !m.door && !begins(name, doors):
		case m.door, begins(name, prefixes), ours && (isMeant || slips <= 2):
			wrong = append(wrong, line)
		case isMeant, slips <= 2 && len(near) >= len("BACKENDS"):
			warnings = append(warnings, line)
		}
	}
	return wrong, warnings
}

// alike returns the known names that begin with the same prefix of ours, or all
// where there are none: AUTH_TRUST_HOST has to do with who is let in, though
// RETRY_TRY_TIMEOUT is spelled more like it.
func alike(name string, known []string) []string {
	for _, p := range prefixes {
		if !strings.HasPrefix(name, p) {
			continue
		}
		if same := slices.DeleteFunc(slices.Clone(known), func(k string) bool { return !strings.HasPrefix(k, p) }); len(same) > 0 {
			return same
		}
	}
	return known
}

// nearest returns the known name that is most likely meant, and how many slips
// name is from it. Letters left out count half, because people shorten names:
// CORS_ORIGINS means CORS_ALLOWED_ORIGINS rather than CORS_MAX_AGE.
func nearest(name string, known []string) (near string, slips int) {
	cost := func(k string) int { return 2*distance(name, k) - max(0, len(k)-len(name)) }
	near = slices.MinFunc(known, func(a, b string) int { return cost(a) - cost(b) })
	return near, distance(name, near)
}

// distance counts the letters to insert, drop or change to make a of b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		change := row[0]
		row[0] = i + 1
		for j := range len(b) {
			if a[i] != b[j] {
				change++
			}
			change, row[j+1] = row[j+1], min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
