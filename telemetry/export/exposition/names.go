package exposition

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// familyName returns the name of a family, which ends in its unit, and that unit. A
// name has only what every Prometheus takes, a-z, A-Z, 0-9, _ and :, whatever the
// scrape says that it can read: so a series is called the same by old and by new ones.
func familyName(name, unit string, data metricdata.Aggregation) (family, ends string) {
	words := strings.FieldsFunc(name, isNot(isOfName))
	if kindOf(data) == counter {
		words = without(words, "total")
	}
	main, per := units(unit)
	if isRatio(unit, data) {
		main = "ratio"
		words = without(words, main)
	}
	for _, word := range []string{main, per} {
		if word != "" && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	family = strings.Join(words, "_")
	if family == "" || family[0] >= '0' && family[0] <= '9' {
		family = "_" + family
	}
	ends = strings.Trim(main+"_"+per, "_")
	if !strings.HasSuffix(family, "_"+ends) {
		ends = "" // the name has it elsewhere
	}
	return family, ends
}

// isRatio reports whether a value without a unit is a share. Of sums, which count
// things without saying so, it is not known.
func isRatio(unit string, data metricdata.Aggregation) bool {
	switch data.(type) {
	case metricdata.Gauge[int64], metricdata.Gauge[float64]:
		return unit == "1"
	}
	return false
}

// units returns what a unit of UCUM is called in names, as the thing that is measured
// and what it is counted by: of By/s it is bytes, and per_second. Those in braces
// measure nothing.
func units(unit string) (main, per string) {
	main, per, _ = strings.Cut(unit, "/")
	main, per = called(main, measures), called(per, periods)
	if per != "" {
		per = "per_" + per
	}
	return main, per
}

func called(unit string, known map[string]string) string {
	unit = strings.TrimSpace(unit)
	if strings.ContainsAny(unit, "{}") {
		return ""
	}
	if word, ok := known[unit]; ok {
		return word
	}
	return strings.Join(strings.FieldsFunc(unit, isNot(isOfName)), "_")
}

var (
	measures = map[string]string{
		"1": "",
		"d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds",
		"By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes", "TiBy": "tibibytes",
		"KBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes",
		"m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams",
		"Cel": "celsius", "Hz": "hertz", "%": "percent",
	}
	periods = map[string]string{"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}
)

func without(words []string, word string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return w == word })
}

func isNot(is func(rune) bool) func(rune) bool { return func(r rune) bool { return !is(r) } }

func isOfName(r rune) bool { return isOfLabel(r) && r != '_' || r == ':' }

func isOfLabel(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
}

// labelName returns an attribute's key as the name of a label, in which several
// underscores are one.
func labelName(key string) string {
	var b strings.Builder
	if len(key) > 0 && key[0] >= '0' && key[0] <= '9' {
		b.WriteString("key_")
	}
	gap := false
	for _, r := range key {
		if isOfLabel(r) && r != '_' {
			b.WriteRune(r)
			gap = false
		} else if !gap {
			b.WriteByte('_')
			gap = true
		}
	}
	return b.String()
}
