package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// systemd is the unit, with what it offers in comments.
func systemd(t *testing.T) manifest {
	t.Helper()
	unit := uncommented(read(t, "systemd/spangate.service"))
	directory := t.TempDir()
	set := map[string]string{}
	for _, variable := range regexp.MustCompile(`(?m)^Environment=([A-Z_]+)=(.*)$`).FindAllStringSubmatch(unit, -1) {
		set[variable[1]] = strings.ReplaceAll(variable[2], "%d", directory)
	}
	for _, credential := range regexp.MustCompile(`(?m)^LoadCredential=([a-z-]+):/`).FindAllStringSubmatch(unit, -1) {
		if err := os.WriteFile(filepath.Join(directory, credential[1]), []byte("ci:0123456789abcdef"), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	grace := regexp.MustCompile(`(?m)^TimeoutStopSec=(\S+)$`).FindStringSubmatch(unit)
	if grace == nil {
		t.Fatal("the unit does not say how long a stop may take")
	}
	patience, err := time.ParseDuration(grace[1])
	if err != nil {
		t.Fatal(err)
	}
	return manifest{
		platform: "none", given: map[string]string{}, set: set, facts: map[string]any{}, port: 8080,
		probes: []string{"/.spangate/live"}, signal: syscall.SIGTERM, grace: patience,
	}
}

// uncommented is a unit with the settings that it offers in comments.
func uncommented(unit string) string {
	return regexp.MustCompile(`(?m)^#([A-Z][A-Za-z]+=)`).ReplaceAllString(unit, "$1")
}

// TestUnit holds that systemd takes the unit, as it is and with all that it offers,
// and that the program could do little harm there.
func TestUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd is not installed")
	}
	text := read(t, "systemd/spangate.service")
	if uncommented(text) == text {
		t.Error("the unit offers nothing")
	}
	for name, unit := range map[string]string{"as it is": text, "with all": uncommented(text)} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "spangate.service")
			// It looks for the binary, which is not installed here.
			unit = strings.Replace(unit, "/usr/local/bin/spangate", "/bin/true", 1)
			if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
				t.Fatal(err)
			}
			// What it warns of comes on standard error, with exit code 0.
			if out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("systemd-analyze verify: %v\n%s", err, out)
			}
			if out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", "--threshold=20", file).CombinedOutput(); err != nil {
				t.Errorf("systemd-analyze security: %v\n%s", err, out)
			}
		})
	}
}
