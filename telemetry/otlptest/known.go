package otlptest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"spangate/telemetry/contract"
)

// Unknown returns what the server received that the tables of package contract
// do not know, a line each: names, and what the tables say of them. The
// attributes of log records without a name are nobody's concern.
//
// Of resources, those in extra are known too.
func (s *Server) Unknown(extra ...string) []string {
	var c comparison
	for _, span := range s.Spans() {
		c.span(span)
		c.resource(span.Resource, extra)
	}
	for _, m := range s.Metrics() {
		c.metric(m)
		c.resource(m.Resource, extra)
	}
	for _, l := range s.Logs() {
		c.log(l)
		c.resource(l.Resource, extra)
	}
	return slices.Sorted(maps.Keys(c.unknown))
}

// Known returns the names in the tables of package contract, with their table
// before them, that the server received something of.
func (s *Server) Known() []string {
	var c comparison
	for _, span := range s.Spans() {
		c.span(span)
		c.resource(span.Resource, nil)
	}
	for _, m := range s.Metrics() {
		c.metric(m)
	}
	for _, l := range s.Logs() {
		c.log(l)
	}
	return slices.Sorted(maps.Keys(c.known))
}

// comparison is of what was received with the tables.
type comparison struct{ unknown, known map[string]bool }

func (c *comparison) wrong(format string, args ...any) {
	note(&c.unknown, fmt.Sprintf(format, args...))
}

func note(in *map[string]bool, name string) {
	if *in == nil {
		*in = map[string]bool{}
	}
	(*in)[name] = true
}

func (c *comparison) span(s Span) {
	var may []string
	found := false
	for _, row := range contract.Spans {
		if row.Kind == s.Kind && (row.Name == s.Name || row.Name == "{method}" && isMethod(s.Name) || row.Name == "{method} {http.route}" && s.Kind == "SERVER" && isRouted(s)) {
			found = true
			may = append(may, row.Attributes...)
			note(&c.known, "span "+row.Kind+" "+row.Name)
		}
	}
	if !found {
		c.wrong("span %s %s", s.Kind, s.Name)
		return
	}
	what := "span " + s.Kind + " " + s.Name
	c.attributes(what, s.Attributes, may)
	for _, link := range s.Links {
		c.attributes("a link of "+what, link.Attributes, nil)
	}
	for _, event := range s.Events {
		c.wrong("event %s of %s", event, what)
	}
}

// isRouted reports whether a span is named so after its method and route, or its method
// alone.
func isRouted(s Span) bool {
	method, path, routed := strings.Cut(s.Name, " ")
	said, has := s.Attributes["http.route"]
	return isMethod(method) && routed == has && (!routed || said == path)
}

// isMethod reports whether a span may be named so after its method.
func isMethod(name string) bool {
	return name != "" && strings.ToUpper(name) == name
}

func (c *comparison) metric(m Metric) {
	i := slices.IndexFunc(contract.Metrics, func(row contract.Metric) bool { return row.Name == m.Name })
	if i < 0 {
		c.wrong("metric %s", m.Name)
		return
	}
	row := contract.Metrics[i]
	note(&c.known, "metric "+m.Name)
	if kind := strings.TrimPrefix(m.Kind, "exponential_"); m.Unit != row.Unit || kind != string(row.Kind) || m.Description != row.Meaning {
		c.wrong("metric %s: %s in %s: %s", m.Name, m.Kind, m.Unit, m.Description)
	}
	for _, p := range m.Points {
		c.attributes("metric "+m.Name, p.Attributes, row.Attributes)
	}
}

func (c *comparison) log(l Log) {
	if l.Event == "" {
		return
	}
	i := slices.IndexFunc(contract.Events, func(row contract.Event) bool { return row.Name == l.Event })
	if i < 0 {
		c.wrong("event %s", l.Event)
		return
	}
	note(&c.known, "event "+l.Event)
	if !slices.Contains(strings.Split(contract.Events[i].Severity, ", "), l.Severity) {
		c.wrong("event %s: severity %s", l.Event, l.Severity)
	}
	c.attributes("event "+l.Event, l.Attributes, contract.Events[i].Attributes)
}

func (c *comparison) attributes(of string, got map[string]any, may []string) {
	for name, value := range got {
		if !slices.Contains(may, name) {
			c.wrong("%s: attribute %s", of, name)
			continue
		}
		c.attribute(of, contract.Attributes, name, value)
	}
}

func (c *comparison) resource(got map[string]any, extra []string) {
	for name, value := range got {
		if !slices.Contains(extra, name) {
			c.attribute("resource", contract.Resource, name, value)
		}
	}
}

func (c *comparison) attribute(of string, table []contract.Attribute, name string, value any) {
	i := slices.IndexFunc(table, func(row contract.Attribute) bool { return row.Name == name })
	if i < 0 {
		c.wrong("%s: attribute %s is in no table", of, name)
		return
	}
	row := table[i]
	note(&c.known, "attribute "+name)
	if got := typeOf(value); got != row.Type {
		c.wrong("%s: attribute %s is of type %s, not %s", of, name, got, row.Type)
	}
	if word, ok := value.(string); ok && len(row.Values) > 0 && !inVocabulary(row, word) {
		c.wrong("%s: attribute %s has no value %q", of, name, word)
	}
}

// inVocabulary reports whether word is one of the row's. A status, and the
// name of a gRPC status, are words of error.type.
func inVocabulary(row contract.Attribute, word string) bool {
	if slices.ContainsFunc(row.Values, func(v contract.Value) bool { return v.Value == word }) {
		return true
	}
	_, err := strconv.ParseUint(word, 10, 16)
	return row.Name == "error.type" && err == nil
}

func typeOf(value any) contract.Type {
	switch value.(type) {
	case string:
		return contract.String
	case int64:
		return contract.Int
	case float64:
		return contract.Double
	case bool:
		return contract.Boolean
	}
	return contract.Type(fmt.Sprintf("%T", value))
}
