//go:build prometheus

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	schema "github.com/grafana/grafana-foundation-sdk/go/dashboard"
	prometheusquery "github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

const dashboardFile = "../../deploy/grafana/dashboard.json"

// TestDashboardSchema holds that the dashboard has all that Grafana's schema
// wants, its panels and queries included, and nothing else.
func TestDashboardSchema(t *testing.T) {
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	// A panel or query of another kind would go unchecked.
	kinds := cog.NewRuntime()
	kinds.RegisterPanelcfgVariant(timeseries.VariantConfig())
	kinds.RegisterDataqueryVariant(prometheusquery.VariantConfig())
	//lint:ignore SA1019 what replaces it is another schema, which Grafana 11 does not know
	var d schema.Dashboard
	// Without faults it is an error that says nothing.
	if err := d.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		t.Error(err)
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
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

// testDashboard holds that the dashboard's variables have so many values, and that each
// query of its panels has something to show, but those that are quiet, which are by the
// panel's title and their letter.
func testDashboard(t *testing.T, prometheus *prometheus, size map[string]int, quiet ...string) {
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	// One for all: a few that wait in vain keep the others from beginning.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
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
		asked := strings.TrimSuffix(strings.TrimPrefix(v.Definition, "label_values("), ")")
		comma := strings.LastIndex(asked, ", ")
		selector, label := asked[:comma], asked[comma+2:]
		var values []string
		err := eventually(ctx, func() (err error) {
			values, err = prometheus.labelValues(t.Context(), interpolate(selector, all), label)
			if err == nil && len(values) != size[v.Name] {
				err = fmt.Errorf("there are %d, want %d", len(values), size[v.Name])
			}
			return err
		})
		if err != nil {
			t.Fatalf("values of %s: %v: %s", v.Name, err, v.Definition)
		}
		all[v.Name], chosen[v.Name] = v.AllValue, anyOf(values)
	}

	for _, p := range d.Panels {
		for _, target := range p.Targets {
			if slices.Contains(quiet, p.Title+"/"+target.RefID) {
				continue
			}
			for choice, variables := range map[string]map[string]string{"all": all, "each": chosen} {
				variables["__rate_interval"] = rateInterval(t, target.Interval)
				expr := interpolate(target.Expr, variables)
				t.Run(fmt.Sprintf("%s/%s of %s", p.Title, target.RefID, choice), func(t *testing.T) {
					t.Parallel()
					if err := eventually(ctx, func() error {
						return shows(t.Context(), prometheus, target, expr, p.FieldConfig.Defaults.Unit)
					}); err != nil {
						t.Errorf("%v: %s", err, expr)
					}
				})
			}
		}
	}
}

// absent are labels that some series of a panel lack: those of programs without routes,
// and of copies that were sent. Something else in the legend is there always.
var absent = []string{"spangate_route", "spangate_mirror_reason"}

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
			if s.labels[found[1]] == "" && !slices.Contains(absent, found[1]) {
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
