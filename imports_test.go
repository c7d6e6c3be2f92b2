package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// rooms are the packages, from the leaves up: each imports only what stands above
// it in this list, on an earlier line. A room stands for what is below it too,
// unless that has an entry of its own.
var rooms = [][]string{
	{"spangate/handler/clock", "spangate/handler/supervise", "spangate/handler/version"},
	{"spangate/handler/reload"},
	{"spangate/handler/config", "spangate/handler/fault", "spangate/handler/field", "spangate/handler/wire/framing", "spangate/handler/wire/http1", "spangate/handler/wire/websocket", "spangate/handler/wire/xconnect", "spangate/handler/wire/proxyproto", "spangate/policy/jwks", "spangate/telemetry/contract", "spangate/telemetry/tracecontext", "spangate/telemetry/export/queue", "spangate/telemetry/export/otlp", "spangate/telemetry/export/series", "spangate/handler/certificate", "spangate/telemetry/export/exposition"},
	{"spangate/policy/redis/connect", "spangate/handler/route/match"},
	{"spangate/handler/acme"},
	{"spangate/handler/wire", "spangate/balancer/echo"},
	{"spangate/handler"},
	{"spangate/handler/rewrite"},
	{"spangate/probe", "spangate/handler/route/action", "spangate/balancer/identity"},
	{"spangate/balancer", "spangate/policy"},
	{"spangate/telemetry/export/console", "spangate/telemetry/export/tracer"},
	{"spangate/policy/redis", "spangate/telemetry/export", "spangate/telemetry/logline"},
	{"spangate/telemetry"},
	{"spangate/handler/admin"},
	{"spangate/handler/route"},
	{"spangate"},
}

// forTests are packages that no binary holds.
var forTests = []string{"spangate/telemetry/otlptest", "spangate/telemetry/otlptest/corpus", "spangate/balancer/dnstest", "spangate/handler/wire/wiretest", "spangate/handler/wire/http1/http1test", "spangate/handler/certificate/certtest", "testing"}

// tooLarge are packages that no binary holds either, with what is below them: what is
// needed of them is little beside what they bring along.
var tooLarge = []string{"google.golang.org/grpc", "google.golang.org/genproto", "google.golang.org/protobuf/proto", "github.com/grpc-ecosystem/grpc-gateway", "go.opentelemetry.io/proto/otlp"}

// foreign lists who may import what of others; the first path that holds it
// decides.
var foreign = []struct {
	path string
	by   []string
}{
	{"go.opentelemetry.io/otel/sdk", []string{"spangate/telemetry/export"}},
	{"go.opentelemetry.io/otel/exporters", []string{"spangate/telemetry/export"}},
	{"go.opentelemetry.io", []string{"spangate/telemetry"}},
	{"github.com/caarlos0/env", []string{"spangate/handler/config"}},
	{"net/http/httputil", nil},
}

// within reports whether path is parent or below it.
func within(path, parent string) bool {
	return path == parent || parent != "spangate" && strings.HasPrefix(path, parent+"/")
}

// floorOf returns the line of rooms that has the room of a package of ours, by
// its longest entry, or -1.
func floorOf(path string) int {
	floor, length := -1, 0
	for i, line := range rooms {
		for _, room := range line {
			if within(path, room) && len(room) > length {
				floor, length = i, len(room)
			}
		}
	}
	return floor
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, p := range goList(t, "./...") {
		if slices.Contains(forTests, p.ImportPath) || p.ImportPath == "spangate/deploy" {
			continue
		}
		floor := floorOf(p.ImportPath)
		if floor < 0 {
			t.Errorf("%s has no room", p.ImportPath)
		}
		for _, path := range p.Imports {
			if strings.HasPrefix(path, "spangate/") && floorOf(path) >= floor {
				t.Errorf("%s imports %s, which does not stand before it: %q", p.ImportPath, path, rooms)
			}
			for _, rule := range foreign {
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
		if slices.ContainsFunc(slices.Concat(forTests, tooLarge), func(path string) bool { return within(p.ImportPath, path) }) {
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

// What tests need in modules of their own is no part of the image: .dockerignore
// names each of their folders, or one above it, unless it lets none of it in.
func TestImageLeavesOutOtherModules(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile(".dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(list))
	modules := 0
	err = fs.WalkDir(os.DirFS("."), ".", func(name string, _ fs.DirEntry, err error) error {
		top, _, below := strings.Cut(name, "/")
		if err != nil || !below || path.Base(name) != "go.mod" || !slices.Contains(lines, "!"+top) {
			return err
		}
		modules++
		if !slices.ContainsFunc(lines, func(line string) bool { return within(name, line) }) {
			t.Errorf(".dockerignore does not name %s", path.Dir(name))
		}
		return nil
	})
	if err != nil || modules == 0 {
		t.Errorf("%d modules were looked at: %v", modules, err)
	}
}
