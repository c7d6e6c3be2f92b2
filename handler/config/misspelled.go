package config

import (
	"maps"
	"math"
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
// thinks closed, or when it stands for a whole configuration. Else it is a warning, for which it must be one or two slips away
// from a known name; not from HOST, PORT and the like, to which too much is near.
func misspelled(given map[string]string, known []string) (wrong, warnings []string) {
	begins := func(name string, prefixes []string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool {
			return strings.HasPrefix(name, p) && slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k+"_", p) })
		})
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if slices.Contains(known, name) {
			continue
		}
		upper := strings.ToUpper(name)
		plainly, ours := strings.CutPrefix(upper, "SPANGATE_") // as others begin the names of theirs
		m, isMeant := meant()[plainly]
		isMeant = isMeant && (m.name == "" || slices.Contains(known, m.name))
		isOurs, isNear := begins(name, prefixes), false
		if !isMeant {
			farthest := 2 * slip
			if isOurs {
				farthest = math.MaxInt32
			}
			near, slips := nearest(plainly, alike(plainly, known), farthest)
			isNear = slips <= 2
			m = meaning{name: near, door: isNear && begins(near, doors)}
		}
		var lines *[]string
		switch {
		case given[name] == "" && !m.door && !begins(name, doors):
			continue
		case m.door, m.whole, isOurs, ours && (isMeant || isNear):
			lines = &wrong
		case isMeant, isNear && len(m.name) >= len("BACKENDS"):
			lines = &warnings
		default:
			continue
		}
		*lines = append(*lines, plain(name)+": "+m.String())
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

// slip is what a letter to insert, drop or change costs whoever looks for the
// nearest name. One to insert costs half: people shorten names, and CORS_ORIGINS
// means CORS_ALLOWED_ORIGINS rather than CORS_MAX_AGE.
const slip = 2

// nearest returns the known name that is most likely meant, and how many slips
// name is from it, unless it costs more than farthest.
func nearest(name string, known []string, farthest int) (near string, slips int) {
	slips = math.MaxInt
	for _, k := range known {
		shorter := max(0, len(k)-len(name))
		if d := distance(name, k, (farthest+shorter)/slip); d <= (farthest+shorter)/slip {
			near, slips, farthest = k, d, slip*d-shorter-1
		}
	}
	return near, slips
}

// distance counts the letters to insert, drop or change to make a of b, but no
// further than to tell that they are more than most.
func distance(a, b string, most int) int {
	if least := max(len(a)-len(b), len(b)-len(a)); least > most {
		return least
	}
	var short [64]int // long enough for all names of ours
	row := append(short[:0], make([]int, len(b)+1)...)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		change := row[0]
		row[0] = i + 1
		least := row[0]
		for j := range len(b) {
			if a[i] != b[j] {
				change++
			}
			change, row[j+1] = row[j+1], min(change, row[j]+1, row[j+1]+1)
			least = min(least, row[j+1])
		}
		if least > most {
			return least
		}
	}
	return row[len(b)]
}
