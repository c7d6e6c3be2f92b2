package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// importers lists who may import what; the first path that holds it decides.
// Both stand for what is below them too, but spangate is main alone.
var importers = []struct {
	path string
	by   []string
}{
	{"spangate/policy/size", []string{"spangate", "spangate/telemetry", "spangate/handler", "spangate/balancer", "spangate/probe", "spangate/policy"}},
	{"spangate/policy/cidr", []string{"spangate", "spangate/telemetry", "spangate/handler", "spangate/balancer", "spangate/probe", "spangate/policy"}},
	{"spangate/telemetry", []string{"spangate", "spangate/telemetry"}},
	{"spangate/handler/environ", []string{"spangate"}},
	{"spangate/handler/fault", []string{"spangate", "spangate/telemetry", "spangate/handler", "spangate/balancer", "spangate/probe", "spangate/policy"}},
	{"spangate/handler/field", []string{"spangate", "spangate/telemetry", "spangate/handler", "spangate/policy"}},
	{"spangate/handler", []string{"spangate", "spangate/telemetry", "spangate/handler"}},
	{"spangate/balancer", []string{"spangate", "spangate/telemetry", "spangate/handler", "spangate/balancer"}},
	{"spangate/probe", []string{"spangate", "spangate/telemetry", "spangate/probe"}},
	{"spangate/policy", []string{"spangate", "spangate/telemetry", "spangate/policy"}},
	{"go.opentelemetry.io/otel/sdk", []string{"spangate/telemetry/setup"}},
	{"go.opentelemetry.io/otel/exporters", []string{"spangate/telemetry/setup"}},
	{"go.opentelemetry.io", []string{"spangate/telemetry"}},
	{"github.com/caarlos0/env", []string{"spangate", "spangate/handler/environ"}},
	{"net/http/httputil", nil},
}

// standalone packages import none of ours.
var standalone = []string{"spangate/balancer/framing", "spangate/policy/size", "spangate/policy/cidr", "spangate/policy/jwks", "spangate/handler/environ", "spangate/handler/fault", "spangate/handler/field"}

func TestImports(t *testing.T) {
	t.Parallel()
	within := func(path, parent string) bool {
		return path == parent || parent != "spangate" && strings.HasPrefix(path, parent+"/")
	}
	for _, p := range goList(t, "./...") {
		for _, path := range p.Imports {
			if slices.Contains(standalone, p.ImportPath) && strings.HasPrefix(path, "spangate/") {
				t.Errorf("%s imports %s, and must import none of ours", p.ImportPath, path)
			}
			for _, rule := range importers {
				if !within(path, rule.path) {
					continue
				}
				if !slices.ContainsFunc(rule.by, func(by string) bool { return within(p.ImportPath, by) }) {
					t.Errorf("%s imports %s, which is for %q", p.ImportPath, path, rule.by)
				}
				break
			}
		}
	}
	for _, p := range goList(t, "-deps", ".") {
		if p.ImportPath == "spangate/telemetry/otlptest" || p.ImportPath == "testing" {
			t.Errorf("the binary holds %s", p.ImportPath)
		}
	}
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func goList(t *testing.T, args ...string) (all []goPackage) {
	t.Helper()
	var stderr bytes.Buffer
	list := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e", "-json=ImportPath,Imports"}, args...)...)
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p goPackage
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatalf("go list %q lists nothing\n%s", args, &stderr)
	}
	return all
}
