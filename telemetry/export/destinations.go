package export

import (
	"log/slog"
	"strings"
)

// Destinations says, for each signal, where it goes: the console, a collector's
// URL, both, or none.
func (s *SDK) Destinations() []slog.Attr {
	var all []slog.Attr
	for _, signal := range []struct {
		name      string
		exporters Exporters
		collector target
	}{
		{"traces", s.exporters.traces, s.traces},
		{"metrics", s.exporters.metrics, s.metrics},
		{"logs", s.exporters.logs, s.logs},
	} {
		var where []string
		if signal.exporters.has("console") {
			where = append(where, "console")
		}
		if signal.exporters.has("otlp") {
			where = append(where, signal.collector.url)
		}
		if where == nil {
			where = []string{"none"}
		}
		all = append(all, slog.String(signal.name, strings.Join(where, ", ")))
	}
	return all
}
