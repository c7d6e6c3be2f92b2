//go:build prometheus

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	dashboardFile = "../../deploy/grafana/dashboard.json"
	alertsFile    = "../../deploy/grafana/alerts.yaml"
)

// TestPrometheus holds that the dashboard's panels have something to show, and
// that the alerts fire, when there is something to show and to fire for.
func TestPrometheus(t *testing.T) {
	text, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	// How long a fault has to last is for promtool, which has no need to wait.
	rules := regexp.MustCompile(`(?m)^( +for:).*$`).ReplaceAllString(string(text), "$1 0s")
	prometheus := startPrometheus(t, rules)
	startFleet(t, prometheus)
	t.Run("dashboard", func(t *testing.T) { testDashboard(t, prometheus) })
	t.Run("alerts", func(t *testing.T) { testAlerts(t, prometheus, rules) })
}

// dashboard is what of dashboard.json decides what is asked.
type dashboard struct {
	Panels []struct {
		Title       string
		FieldConfig struct {
			Defaults struct {
				Unit     string
				Min, Max *float64
			}
		}
		Targets []target
	}
	Templating struct {
		List []struct{ Name, Type, Definition, AllValue string }
	}
}

type target struct {
	RefID, Expr, LegendFormat string
	Interval                  string // Grafana's minimal step
	Exemplar                  bool
}

func testDashboard(t *testing.T, prometheus *prometheus) {
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}

	// Variables follow from one another: each query has the values of those before.
	all, chosen := map[string]string{}, map[string]string{}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		selector, label, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(v.Definition, "label_values("), ")"), ", ")
		var values []string
		err := eventually(t.Context(), func() (err error) {
			values, err = prometheus.labelValues(t.Context(), interpolate(selector, all), label)
			if len(values) == 0 {
				err = cmp.Or(err, errors.New("there are no values"))
			}
			return err
		})
		if err != nil {
			t.Errorf("variable %s: %v of %s", v.Name, err, v.Definition)
		}
		all[v.Name], chosen[v.Name] = v.AllValue, anyOf(values)
	}

	for _, p := range d.Panels {
		for _, target := range p.Targets {
			for choice, variables := range map[string]map[string]string{"all": all, "each": chosen} {
				variables["__rate_interval"] = rateInterval(t, target.Interval)
				expr := interpolate(target.Expr, variables)
				t.Run(fmt.Sprintf("%s/%s of %s", p.Title, target.RefID, choice), func(t *testing.T) {
					t.Parallel()
					if err := eventually(t.Context(), func() error {
						return shows(t.Context(), prometheus, target, expr, p.FieldConfig.Defaults.Unit)
					}); err != nil {
						t.Errorf("%v: %s", err, expr)
					}
				})
			}
		}
	}
}

// shows returns what is wrong with what Prometheus answers to a panel.
func shows(ctx context.Context, prometheus *prometheus, target target, expr, unit string) error {
	samples, err := prometheus.query(ctx, expr)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(samples, func(s sample) bool { return !math.IsNaN(s.value) }) {
		return fmt.Errorf("no value among %d series", len(samples))
	}
	if strings.Contains(expr, "rate(") || strings.Contains(expr, "increase(") {
		if !slices.ContainsFunc(samples, func(s sample) bool { return s.value > 0 }) {
			return fmt.Errorf("nothing happens in %d series", len(samples))
		}
	}
	for _, s := range samples {
		if unit == "percentunit" && s.value > 1 {
			return fmt.Errorf("%v is no share of 1", s.value)
		}
		for _, found := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
			if s.labels[found[1]] == "" {
				return fmt.Errorf("a series %v has no %s for the legend", s.labels, found[1])
			}
		}
	}
	if !target.Exemplar {
		return nil
	}
	exemplars, err := prometheus.exemplars(ctx, expr)
	if !slices.ContainsFunc(exemplars, func(labels map[string]string) bool { return labels["trace_id"] != "" }) {
		return cmp.Or(err, fmt.Errorf("no trace among %d exemplars", len(exemplars)))
	}
	return nil
}

// interpolate replaces variables as Grafana does. One that is not known stays,
// and is a fault that Prometheus tells of.
func interpolate(text string, variables map[string]string) string {
	return regexp.MustCompile(`\$(\w+)`).ReplaceAllStringFunc(text, func(name string) string {
		return cmp.Or(variables[name[1:]], name)
	})
}

// anyOf is what Grafana makes of several chosen values.
func anyOf(values []string) string {
	var escaped []string
	for _, value := range values {
		escaped = append(escaped, regexp.MustCompile(`[$^*{}\[\]'+?.()|]`).ReplaceAllString(value, `\\$0`))
	}
	return "(" + strings.Join(escaped, "|") + ")"
}

// rateInterval is Grafana's $__rate_interval where the time between two points is
// not longer than the minimal step: four times that step, which without one is
// the data source's interval, 15 seconds.
func rateInterval(t *testing.T, step string) string {
	t.Helper()
	d, err := time.ParseDuration(cmp.Or(step, "15s"))
	if err != nil {
		t.Fatal(err)
	}
	return (4 * d).String()
}

func testAlerts(t *testing.T, prometheus *prometheus, rules string) {
	for _, rule := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		t.Run(rule[1], func(t *testing.T) {
			t.Parallel()
			if err := eventually(t.Context(), func() error { return fires(t.Context(), prometheus, rule[1]) }); err != nil {
				t.Error(err)
			}
		})
	}
}

// fires returns why an alert does not fire, or says nothing.
func fires(ctx context.Context, prometheus *prometheus, name string) error {
	var all struct {
		Groups []struct {
			Rules []struct {
				Name, Query, State, LastError string
				Annotations                   map[string]string // templates
				Alerts                        []struct {
					Labels, Annotations map[string]string
				}
			}
		}
	}
	if err := prometheus.get(ctx, "rules", nil, &all); err != nil {
		return err
	}
	for _, group := range all.Groups {
		for _, rule := range group.Rules {
			if rule.Name != name {
				continue
			}
			if rule.State != "firing" || len(rule.Alerts) == 0 {
				return fmt.Errorf("the alert is %s %s: %s", rule.State, rule.LastError, rule.Query)
			}
			for _, alert := range rule.Alerts {
				for key, template := range rule.Annotations {
					for _, label := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(template, -1) {
						if alert.Labels[label[1]] == "" {
							return fmt.Errorf("an alert has no label %s for %q", label[1], template)
						}
					}
					if text := alert.Annotations[key]; text == "" || strings.Contains(text, "<error") || strings.Contains(text, "{{") {
						return fmt.Errorf("%s: %q", key, text)
					}
				}
			}
			return nil
		}
	}
	return errors.New("there is no such alert")
}

// TestRules holds that the alerts are as promtool wants them.
func TestRules(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), prometheusTool(t, "promtool"), "check", "rules", alertsFile).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
