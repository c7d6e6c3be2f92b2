package export

import (
	"log/slog"
	"strings"
)

// Destinations says, for each signal, where it goes: the console, Prometheus, a collector's
// URL, several of these, or none.
func (p *Pipelines) Destinations() []slog.Attr {
	var all []slog.Attr
	for _, signal := range []struct {
		name      string
		exporters Exporters
		collector target
	}{
		{"traces", p.exporters.traces, p.traces},
		{"metrics", p.exporters.metrics, p.metrics},
		{"logs", p.exporters.logs, p.logs},
	} {
		var where []string
		for _, name := range []string{"console", "console_json"} {
			if signal.exporters.has(name) {
				where = append(where, name)
			}
		}
		if signal.exporters.has("otlp") {
			where = append(where, signal.collector.url)
		}
		if signal.exporters.has("prometheus") {
			where = append(where, "prometheus")
		}
		if where == nil {
			where = []string{"none"}
		}
		all = append(all, slog.String(signal.name, strings.Join(where, ", ")))
	}
	return all
}
