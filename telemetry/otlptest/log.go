package otlptest

import (
	"encoding/hex"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
)

// Log is one log record. Identifiers are hexadecimal, and empty when absent.
type Log struct {
	Time            time.Time
	Body            any
	Severity        string // as the program named it, such as INFO
	Event           string // name of the event; empty: not an event
	TraceID, SpanID string
	Attributes      map[string]any // values are as those of a Span
	Resource        map[string]any
	Scope           string
}

func (s *Server) addLogs(r *collogs.ExportLogsServiceRequest) {
	for _, rl := range r.GetResourceLogs() {
		resource := attributes(rl.GetResource().GetAttributes())
		for _, sl := range rl.GetScopeLogs() {
			for _, record := range sl.GetLogRecords() {
				s.logs = append(s.logs, Log{
					Time:       instant(record.GetTimeUnixNano()),
					Body:       value(record.GetBody()),
					Severity:   record.GetSeverityText(),
					Event:      record.GetEventName(),
					TraceID:    hex.EncodeToString(record.GetTraceId()),
					SpanID:     hex.EncodeToString(record.GetSpanId()),
					Attributes: attributes(record.GetAttributes()),
					Resource:   resource,
					Scope:      sl.GetScope().GetName(),
				})
			}
		}
	}
}
