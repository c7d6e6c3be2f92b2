// Package logline answers: what does a line of the log look like, and who waits
// for its reader? Nobody does: [Lines] takes them, and writes them beside.
package logline

import (
	"log/slog"

	"spangate/handler/config"
)

// Config says what lines there are, and how they are written.
type Config struct {
	AccessLog format     `env:"ACCESS_LOG" envDefault:"json" doc:"one line on stdout for each request: json, text or off"`
	Fields    fields     `env:"LOG_FIELDS" envDefault:"auto" auto:"plain" needs:"ACCESS_LOG!=text" doc:"whose names JSON lines use: plain, or gcp for Google Cloud Logging (severity, trace, httpRequest); auto is the platform's, else plain"`
	Project   string     `env:"GOOGLE_CLOUD_PROJECT" zero:"none" doc:"project that LOG_FIELDS=gcp names a line's trace by"`
	Level     slog.Level `env:"LOG_LEVEL" envDefault:"info" doc:"least level of the program's own log lines: debug, info, warn or error"`
}

// A format is the form of a log's lines.
type format string

// The formats. The zero value counts as off, and the program's own lines are then
// JSON.
const (
	asJSON format = "json"
	asText format = "text"
	off    format = "off"
)

// UnmarshalText parses the name of a format.
func (f *format) UnmarshalText(text []byte) error {
	return config.OneOf(f, text, asJSON, asText, off)
}
