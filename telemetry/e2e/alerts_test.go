//go:build prometheus

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const alertsFile = "../../deploy/grafana/alerts.yaml"

// TestAlertRules holds that the alerts are as promtool wants them, and do in the
// stories of testdata/alerts_test.yaml as it says there.
func TestAlertRules(t *testing.T) {
	promtool := installed(t, "promtool", "prometheus")
	for _, args := range [][]string{{"check", "rules", alertsFile}, {"test", "rules", "testdata/alerts_test.yaml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", args[0], err, out)
		}
	}
}

func testAlerts(t *testing.T, prometheus *prometheus, rules string) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	for _, rule := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		t.Run(rule[1], func(t *testing.T) {
			t.Parallel()
			if err := eventually(ctx, func() error { return fires(t.Context(), prometheus, rule[1]) }); err != nil {
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
					for _, label := range regexp.MustCompile(`\{\{ \$labels\.(\w+)`).FindAllStringSubmatch(template, -1) {
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
