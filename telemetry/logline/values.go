package logline

import (
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// What is here writes values as the handlers of package slog do, which have it to
// themselves. A test holds that they agree.

// severity names a level as Google Cloud Logging does.
func severity(level slog.Level) string {
	if level == slog.LevelWarn {
		return "WARNING"
	}
	return level.String()
}

// appendFloat appends a finite number as encoding/json does, which has it from
// ECMAScript: with an exponent when it is very small or very large.
func appendFloat(b []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	b = strconv.AppendFloat(b, f, format, -1, 64)
	if n := len(b); format == 'e' && n >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
		b[n-2] = b[n-1] // e-09 is e-9
		b = b[:n-1]
	}
	return b
}

// appendMilliseconds appends a time as it stands in lines of text.
func appendMilliseconds(b []byte, t time.Time) []byte {
	return t.Truncate(time.Millisecond).AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
}

// needsQuotes reports whether a value of a line of text would not end where it ends, or
// holds what a terminal would obey.
func needsQuotes(s string) bool {
	return s == "" || strings.ContainsFunc(s, func(r rune) bool {
		switch {
		case r < unicode.MaxASCII:
			return r <= ' ' || r == '=' || r == '"'
		case r == unicode.MaxASCII:
			return false // which is escaped without them
		}
		return r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r)
	})
}
