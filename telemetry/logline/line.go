package logline

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net/netip"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"

	"spangate/handler"
)

// Line is the line of one request, as it is written: what is added to it follows what
// it has, as a handler of package slog would write it, but for what a terminal would
// obey or hide. Names are written as they are. It is for one goroutine.
type Line struct {
	line
	log   *AccessLog
	first bool // the next field is the first of its group
}

// begin writes what each line begins with.
func (l *Line) begin(start time.Time, level slog.Level) {
	start = start.Round(0) // without what is monotonic, as a handler does
	form := l.log.form
	switch {
	case form.text:
		l.text = append(l.text, "time="...)
		l.text = appendMilliseconds(l.text, start)
		l.text = append(append(l.text, " level="...), level.String()...)
		l.text = append(l.text, " msg=request"...)
		return
	case form.gcp:
		l.text = append(l.text, `{"time":"`...)
		l.text = start.AppendFormat(l.text, time.RFC3339Nano)
		l.text = append(append(l.text, `","severity":"`...), severity(level)...)
		l.text = append(l.text, `","message":"request"`...)
	default:
		l.text = append(l.text, `{"time":"`...)
		l.text = start.AppendFormat(l.text, time.RFC3339Nano)
		l.text = append(append(l.text, `","level":"`...), level.String()...)
		l.text = append(l.text, `","msg":"request"`...)
	}
}

// Write ends the line with the ids of the span in ctx, and has it written. Nothing may
// be added to it after that.
func (l *Line) Write(ctx context.Context) {
	form := l.log.form
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		id, span := sc.TraceID(), sc.SpanID()
		l.digits("trace_id", "", id[:])
		l.digits("span_id", "", span[:])
		if form.gcp {
			within := ""
			if form.project != "" {
				within = "projects/" + form.project + "/traces/"
			}
			l.digits("logging.googleapis.com/trace", within, id[:])
			l.digits("logging.googleapis.com/spanId", "", span[:])
			l.Bool("logging.googleapis.com/trace_sampled", sc.IsSampled())
		}
	}
	if form.text {
		l.text = handler.Visible(append(l.text, '\n'))
	} else {
		l.text = append(l.text, "}\n"...)
	}
	l.log.to.push(&l.line)
}

// digits adds bytes in hexadecimal digits.
func (l *Line) digits(name, before string, bytes []byte) {
	if before != "" {
		l.String(name, before+hex.EncodeToString(bytes))
		return
	}
	l.name(name)
	l.quote()
	l.text = hex.AppendEncode(l.text, bytes)
	l.quote()
}

// quote writes the mark that is around texts of JSON.
func (l *Line) quote() {
	if !l.log.form.text {
		l.text = append(l.text, '"')
	}
}

func (l *Line) name(name string) {
	switch {
	case l.log.form.text:
		l.text = append(l.text, ' ')
		l.text = append(append(l.text, name...), '=')
		return
	case l.first:
		l.first = false
	default:
		l.text = append(l.text, ',')
	}
	l.text = append(l.text, '"')
	l.text = append(append(l.text, name...), `":`...)
}

// String adds a text.
func (l *Line) String(name, value string) {
	l.name(name)
	switch {
	case !l.log.form.text:
		l.text = handler.AppendJSON(l.text, value)
	case needsQuotes(value):
		l.text = strconv.AppendQuote(l.text, value)
	default:
		l.text = append(l.text, value...)
	}
}

// Int adds a number.
func (l *Line) Int(name string, value int64) {
	l.name(name)
	l.text = strconv.AppendInt(l.text, value, 10)
}

// Bool adds true or false.
func (l *Line) Bool(name string, value bool) {
	l.name(name)
	l.text = strconv.AppendBool(l.text, value)
}

// Seconds adds a duration as a number of seconds.
func (l *Line) Seconds(name string, value time.Duration) {
	l.name(name)
	if l.log.form.text {
		l.text = strconv.AppendFloat(l.text, value.Seconds(), 'g', -1, 64)
	} else {
		l.text = appendFloat(l.text, value.Seconds())
	}
}

// Addr adds an address.
func (l *Line) Addr(name string, value netip.Addr) {
	if !value.IsValid() || value.Zone() != "" { // in which anything may stand
		l.String(name, value.String())
		return
	}
	l.name(name)
	l.quote()
	l.text = value.AppendTo(l.text)
	l.quote()
}

// Group adds a group of what add adds to the line, which is JSON.
func (l *Line) Group(name string, add func(*Line)) {
	l.name(name)
	l.text, l.first = append(l.text, '{'), true
	add(l)
	l.text, l.first = append(l.text, '}'), false
}
