package console

import (
	"cmp"
	"strings"
	"time"
)

// Records returns log records, each as OTLP's message, as lines.
func Records(records [][]byte, coloured bool) []byte {
	var b []byte
	for _, r := range records {
		b = append(append(b, recordLine(r, style{coloured})...), '\n')
	}
	return b
}

// warning is the least severity of a warning.
const warning = 13

func recordLine(m message, s style) string {
	var at, observed, severity uint64
	var level, body, event string
	var in traceID
	var attributes []message
	for f := range m.fields {
		switch f.number {
		case 1:
			at = f.bits
		case 2:
			severity = f.bits
		case 3:
			level = brief(string(f.bytes))
		case 5:
			body = brief(readValue(f.bytes))
		case 6:
			attributes = append(attributes, f.bytes)
		case 9:
			copy(in[:], f.bytes)
		case 11:
			observed = f.bits
		case 12:
			event = shown(string(f.bytes))
		}
	}
	if severity >= warning {
		level = s.alarming(level)
	}
	words := []string{s.faint(time.Unix(0, int64(cmp.Or(at, observed))).UTC().Format("2006-01-02T15:04:05.000Z")), level, s.bold(body)}
	if event != "" {
		words = append(words, s.faint("event.name=")+event)
	}
	for _, a := range readAttributes(attributes, nil) {
		words = append(words, s.faint(a.key+"=")+a.value)
	}
	if in != (traceID{}) {
		words = append(words, s.faint("trace="+in.short()))
	}
	return strings.Join(words, " ")
}
