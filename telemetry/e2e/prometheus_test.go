//go:build prometheus

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// prometheus is a Prometheus server, with its series in a directory that ends
// with the test.
type prometheus struct {
	*process
	url string
}

// installed returns where a program of a Debian package is. Without it the test is
// skipped, but where CI is set it fails: there it must have run.
func installed(t *testing.T, program, from string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") != "":
		t.Fatalf("no %s, which this needs: apt-get install %s", program, from)
	}
	t.Skipf("no %s: apt-get install %s", program, from)
	return ""
}

// startPrometheus returns once the server is ready to take metrics. It evaluates
// the rules, and scrapes the targets, as often as spangate exports here.
func startPrometheus(t *testing.T, rules string, targets ...string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	config := "global: {evaluation_interval: 200ms, scrape_interval: 200ms, scrape_timeout: 200ms}\nrule_files: [rules.yaml]\n"
	if len(targets) > 0 {
		config += fmt.Sprintf("scrape_configs: [{job_name: spangate, static_configs: [{targets: [%s]}]}]\n", strings.Join(targets, ", "))
	}
	for name, text := range map[string]string{"prometheus.yaml": config, "rules.yaml": rules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	p := &prometheus{}
	ready := make(chan struct{})
	listening := regexp.MustCompile(`msg="Listening on".* address=(\S+)`)
	log := func(line []byte) {
		if found := listening.FindSubmatch(line); found != nil {
			p.url = "http://" + string(found[1])
		}
		if regexp.MustCompile(`msg="Server is ready`).Match(line) { // the last of them
			close(ready)
		}
	}
	p.process = start(t, exec.Command(installed(t, "prometheus", "prometheus"),
		"--config.file="+filepath.Join(dir, "prometheus.yaml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0",
		"--web.enable-remote-write-receiver",
		"--enable-feature=exemplar-storage",
	), nil, log)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-ready:
	case <-p.done:
		t.Fatalf("Prometheus ended before it listened: %v", p.err)
	case <-ctx.Done():
		t.Fatal("Prometheus never said that it is ready")
	}
	return p
}

// get asks for a path of the API and reads what it answers into data.
func (p *prometheus) get(ctx context.Context, path string, query url.Values, data any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", p.url+"/api/v1/"+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	answer := struct {
		Data  any
		Error string
	}{Data: data}
	if err := json.Unmarshal(body, &answer); err != nil {
		return errors.Join(err, fmt.Errorf("in %.200s", body))
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	return nil
}

// sample is one series of an answer, with its value of now.
type sample struct {
	labels map[string]string
	value  float64
}

func (p *prometheus) query(ctx context.Context, expr string) ([]sample, error) {
	var vector struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any // time and value
		}
	}
	if err := p.get(ctx, "query", url.Values{"query": {expr}}, &vector); err != nil {
		return nil, err
	}
	var samples []sample
	for _, r := range vector.Result {
		value, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			return nil, err
		}
		samples = append(samples, sample{r.Metric, value})
	}
	return samples, nil
}

// exemplars returns the labels of those that the series of an expression have.
func (p *prometheus) exemplars(ctx context.Context, expr string) ([]map[string]string, error) {
	var found []struct {
		Exemplars []struct{ Labels map[string]string }
	}
	now := time.Now()
	err := p.get(ctx, "query_exemplars", url.Values{
		"query": {expr},
		"start": {now.Add(-time.Hour).Format(time.RFC3339)}, "end": {now.Add(time.Minute).Format(time.RFC3339)},
	}, &found)
	var all []map[string]string
	for _, series := range found {
		for _, e := range series.Exemplars {
			all = append(all, e.Labels)
		}
	}
	return all, err
}

// labelValues is Grafana's label_values: those that a selector's series have.
func (p *prometheus) labelValues(ctx context.Context, selector, label string) ([]string, error) {
	var values []string
	err := p.get(ctx, "label/"+label+"/values", url.Values{"match[]": {selector}}, &values)
	return values, err
}
