package logline

import (
	"log/slog"
	"sync"
	"time"
)

// AccessLog writes one line for each request. It is safe for concurrent use,
// and requests never wait for it: lines are formatted where they arise.
type AccessLog struct {
	to    *Lines
	form  form
	lines sync.Pool // of *Line
}

// largestKept bounds the memory of lines that is used again.
const largestKept = 8 << 10

// NewAccessLog returns a log in the format of cfg, or nil for off.
func NewAccessLog(cfg Config, to *Lines) *AccessLog {
	if cfg.AccessLog != asJSON && cfg.AccessLog != asText {
		return nil
	}
	l := &AccessLog{to: to, form: cfg.form()}
	l.lines.New = func() any {
		n := &Line{log: l}
		n.release = func() {
			if cap(n.text) <= largestKept {
				l.lines.Put(n)
			}
		}
		return n
	}
	return l
}

// Google reports whether the line of a request is to have what Google Cloud
// Logging shows beside it.
func (l *AccessLog) Google() bool { return l.form.gcp }

// Line returns the line of a request that began at start, to which what is known of it
// is added, and which [Line.Write] ends.
func (l *AccessLog) Line(start time.Time, level slog.Level) *Line {
	n := l.lines.Get().(*Line)
	n.begin(start, level)
	return n
}
