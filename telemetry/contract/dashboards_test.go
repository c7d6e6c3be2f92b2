package contract_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"spangate/telemetry/contract"
)

// TestDashboard holds that what deploy/grafana/dashboard.json asks for is what
// the program emits.
func TestDashboard(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat, Interval string }
		}
		Templating struct {
			List []struct{ Name, Type, Definition, AllValue string }
		}
	}
	text, err := os.ReadFile("../../deploy/grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := []string{"__rate_interval"}
	for _, v := range dashboard.Templating.List {
		variables = append(variables, v.Name)
		if v.Type == "query" {
			checkQuery(t, v.Name, v.Definition)
			if v.AllValue != ".*" {
				t.Errorf("%s: all of it are %q, which leaves out series that have no such label", v.Name, v.AllValue)
			}
		}
	}
	queries := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries++
			labels := checkQuery(t, panel.Title, target.Expr)
			checkRoute(t, panel.Title, target.Expr)
			if target.Interval != "1m" { // $__rate_interval is four of these
				t.Errorf("%s: the least step is %q, not the minute from one export to the next", panel.Title, target.Interval)
			}
			for _, found := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.Contains(labels, found[1]) || !grouped(target.Expr, found[1]) {
					t.Errorf("%s: the legend's %s is no label of %s", panel.Title, found[1], target.Expr)
				}
			}
			for _, found := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
				if !slices.Contains(variables, found[1]) {
					t.Errorf("%s: %s is no variable of the dashboard", panel.Title, found[0])
				}
			}
		}
	}
	if queries == 0 {
		t.Error("the dashboard has no queries")
	}
}

// checkRoute holds that whoever chooses a route sees what is of that route alone. What no
// route took is of none, and a certificate is also the listener's.
func checkRoute(t *testing.T, where, query string) {
	t.Helper()
	known := series()
	for _, found := range regexp.MustCompile(`(\w+)(\{[^}]*\})`).FindAllStringSubmatch(query, -1) {
		of := slices.Contains(known[found[1]], "spangate_route") && !strings.Contains(found[2], `spangate_policy_rejection="route"`) && !strings.Contains(found[1], "_certificate_")
		if by := strings.Contains(found[2], `spangate_route=~"$route"`); by != of {
			t.Errorf("%s: %s is asked for by route: %t, want %t", where, found[0], by, of)
		}
	}
}

// TestAlerts is TestDashboard for deploy/grafana/alerts.yaml.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("../../deploy/grafana/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)\n +expr: (.+)\n +for: \w+\n +labels: \{severity: (?:critical|warning)\}\n +annotations:\n +summary: (.+)\n +description: (.+)$`).FindAllStringSubmatch(string(text), -1)
	if n := strings.Count(string(text), "- alert:"); len(alerts) != n || n == 0 {
		t.Errorf("%d of %d alerts are a name, an expression, a duration, a severity, a summary and a description, a line each", len(alerts), n)
	}
	for _, alert := range alerts {
		checkQuery(t, alert[1], alert[2])
		for _, found := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(alert[3]+alert[4], -1) {
			if !grouped(alert[2], found[1]) {
				t.Errorf("%s: %s is not a label of what its expression returns", alert[1], found[1])
			}
		}
	}
}

// grouped reports whether a query sums up by the label.
func grouped(query, label string) bool {
	for _, found := range regexp.MustCompile(`\bby \(([^)]*)\)`).FindAllStringSubmatch(query, -1) {
		if slices.Contains(strings.Split(found[1], ", "), label) {
			return true
		}
	}
	return false
}

var (
	quoted   = regexp.MustCompile(`"[^"]*"`)
	matcher  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"`)
	selector = regexp.MustCompile(`\{[^}]*\}`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring) \(([^)]*)\)`)
	duration = regexp.MustCompile(`\[[^]]*\]`)
	statuses = regexp.MustCompile(`^[45]\.\.$`)
	word     = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)
)

// promQL are the words of the language that are used, and of Grafana's.
var promQL = []string{"sum", "min", "max", "rate", "increase", "histogram_quantile", "scalar", "and", "or", "label_values"}

// checkQuery checks the metrics that a query asks for, their labels, and the
// words that it compares them with. It returns the labels that there are.
func checkQuery(t *testing.T, where, query string) []string {
	t.Helper()
	known := series()
	var labels []string
	bare := duration.ReplaceAllString(query, "")
	bare = selector.ReplaceAllString(quoted.ReplaceAllString(bare, ""), "")
	var asked []string
	if variable, label, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(bare, "label_values("), ")"), ", "); ok && strings.HasPrefix(bare, "label_values(") {
		bare, asked = variable, []string{label}
		if variable == "" { // of any metric
			labels = slices.Concat(slices.Collect(maps.Values(known))...)
		}
	}
	for _, name := range word.FindAllString(grouping.ReplaceAllString(bare, ""), -1) {
		if slices.Contains(promQL, name) {
			continue
		}
		row, ok := known[name]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, name)
		}
		labels = append(labels, row...)
	}
	if len(labels) == 0 {
		t.Errorf("%s: %s asks for nothing", where, query)
	}
	for _, found := range grouping.FindAllStringSubmatch(query, -1) {
		asked = append(asked, strings.Split(found[1], ", ")...)
	}
	for _, found := range matcher.FindAllStringSubmatch(query, -1) {
		asked = append(asked, found[1])
		checkWords(t, where, found[1], found[2])
	}
	for _, label := range asked {
		if !slices.Contains(labels, label) {
			t.Errorf("%s: there is no label %s in %s", where, label, query)
		}
	}
	return labels
}

// checkWords checks what a label with a vocabulary is compared with.
func checkWords(t *testing.T, where, label, text string) {
	t.Helper()
	labels := []string{label}
	if label == "spangate_retry_reason" { // has the words of two others
		labels = append(labels, "error_type", "spangate_retry_stop_reason")
	}
	var words []string
	for _, a := range contract.Attributes {
		if slices.Contains(labels, translated(a.Name)) {
			words = append(words, valuesOf(a)...)
		}
	}
	if len(words) == 0 || strings.HasPrefix(text, "$") || text == "" {
		return
	}
	if statuses.MatchString(text) && slices.Contains(labels, "error_type") {
		return // error.type is also a status
	}
	for one := range strings.SplitSeq(text, "|") {
		if !slices.Contains(words, one) {
			t.Errorf("%s: %s is never %q", where, label, one)
		}
	}
}

func translated(name string) string { return strings.ReplaceAll(name, ".", "_") }

// series returns the labels of each name that Prometheus gives our metrics: dots
// become underscores, and unit and kind come at the end.
func series() map[string][]string {
	all := map[string][]string{}
	for _, m := range contract.Metrics {
		name := translated(m.Name) + map[string]string{"s": "_seconds", "By": "_bytes", "%": "_percent", "d": "_days"}[m.Unit]
		if m.Unit == "1" && m.Kind == contract.Gauge {
			name += "_ratio"
		}
		labels := []string{"job", "instance"}
		for _, a := range m.Attributes {
			labels = append(labels, translated(a))
		}
		switch m.Kind {
		case contract.Counter:
			all[name+"_total"] = labels
		case contract.Histogram:
			all[name+"_sum"], all[name+"_count"] = labels, labels
			all[name+"_bucket"] = append(slices.Clone(labels), "le")
		default:
			all[name] = labels
		}
	}
	return all
}
