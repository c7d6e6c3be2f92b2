package main

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recording returns the first block of README that begins like that.
func recording(t *testing.T, readme, begin string) string {
	t.Helper()
	var block strings.Builder
	for line := range strings.Lines(readme) {
		text, isCode := strings.CutPrefix(line, "    ")
		switch {
		case isCode && (block.Len() > 0 || strings.HasPrefix(text, begin)):
			block.WriteString(text)
		case block.Len() > 0:
			return block.String()
		}
	}
	t.Fatalf("README has no block that begins with %q", begin)
	return ""
}

var changing = regexp.MustCompile(`\d+\.\d ms +|\b(trace[= ])[0-9a-f]{8}`)

// timeless returns lines as they are each time: without durations and identifiers.
func timeless(lines string) string { return changing.ReplaceAllString(lines, "$1… ") }

// trees returns what of the output is no line of the log.
func (l *logLines) trees() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var trees bytes.Buffer
	for line := range bytes.Lines(l.text.Bytes()) {
		if !json.Valid(line) {
			trees.Write(line)
		}
	}
	return trees.String()
}

// TestFirstTrace runs what README tells a newcomer to, and holds that what README shows
// of it is what is printed, at once and not when the program ends.
func TestFirstTrace(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^    (OTEL_TRACES_EXPORTER=console .*) go run \.$`).FindSubmatch(readme)
	if command == nil {
		t.Fatal("README has no such command")
	}
	p := start(t, strings.Fields(string(command[1]))...)
	p.once(t.Context(), "GET", "/hello", nil)
	p.await("← attempt 0\n")
	p.stop()
	if diff := cmp.Diff(timeless(recording(t, string(readme), "GET ")), timeless(p.log.trees())); diff != "" {
		t.Errorf("trees (-README +printed):\n%s", diff)
	}
}

// TestFirstProbes does the same for the probes that take a backend out.
func TestFirstProbes(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "OTEL_TRACES_EXPORTER=console", "BACKENDS=http://localhost:1,echo:a")
	p.await("spangate.backend.state=down")
	p.stop()
	var first strings.Builder
	for line := range strings.Lines(p.log.trees()) {
		if strings.Contains(line, "spangate.backend=http://localhost:1") {
			first.WriteString(line)
		}
		if strings.Contains(line, "spangate.backend.state=down") {
			break
		}
	}
	if diff := cmp.Diff(timeless(recording(t, string(readme), "probe ")), timeless(first.String())); diff != "" {
		t.Errorf("trees (-README +printed):\n%s", diff)
	}
}
