package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// TestValidate holds that kubectl-validate, which checks as an API server does, takes
// all objects for the two newest versions of Kubernetes that it brings schemas of, and
// takes none once there is a field more. Schemas say what types do not: which fields there
// have to be, and in the Gateway API rules between them. It has a module file of its own,
// as it is for older versions of Kubernetes's types.
func TestValidate(t *testing.T) {
	validate := tool(t, "validate.mod", "kubectl-validate")
	definitions, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	right, wrong := t.TempDir(), t.TempDir()
	want := map[string]string{}
	for name, b := range allBuilds(t) {
		for object, text := range b {
			// The operator's module of types comes without its definitions.
			if strings.HasPrefix(object, "ServiceMonitor ") {
				continue
			}
			file := strings.ReplaceAll(name+"/"+object+".yaml", " ", "-")
			write(t, filepath.Join(right, file), text)
			want[filepath.Join(right, file)] = metav1.StatusSuccess
			// Each kind once.
			kind, _, _ := strings.Cut(object, " ")
			file = filepath.Join(wrong, kind+".yaml")
			if want[file] == "" {
				write(t, file, spoiled(t, text))
				want[file] = metav1.StatusFailure
			}
		}
	}
	for _, version := range []string{"1.29", "1.30"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			run := exec.CommandContext(t.Context(), validate, "--version="+version, "--output=json",
				"--local-crds="+filepath.Join(strings.TrimSpace(string(definitions)), "config/crd/standard"), right, wrong)
			// It would ask the cluster that it finds.
			run.Env = []string{"HOME=" + t.TempDir()}
			var stderr strings.Builder
			run.Stderr = &stderr
			out, _ := run.Output() // fails as some are refused
			var got map[string][]metav1.Status
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%v\n%s", err, &stderr)
			}
			for _, file := range slices.Sorted(maps.Keys(want)) {
				if len(got[file]) != 1 {
					t.Errorf("%s: %d answers", file, len(got[file]))
				} else if answer := got[file][0]; answer.Status != want[file] {
					t.Errorf("%s: %s, want %s: %s", file, answer.Status, want[file], answer.Message)
				}
			}
		})
	}
}

// spoiled returns an object with a field that there is not.
func spoiled(t *testing.T, object []byte) []byte {
	t.Helper()
	var fields map[string]any
	if err := yaml.Unmarshal(object, &fields); err != nil {
		t.Fatal(err)
	}
	in := fields
	if spec, ok := fields["spec"].(map[string]any); ok {
		in = spec
	}
	in["nonsense"] = true
	text, err := yaml.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// tool returns the path of a program that a module file of its own names.
func tool(t *testing.T, modfile, name string) string {
	t.Helper()
	var stderr strings.Builder
	find := exec.CommandContext(t.Context(), "go", "tool", "-modfile="+modfile, "-n", name)
	find.Stderr = &stderr
	path, err := find.Output()
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w\n%s", name, err, &stderr))
	}
	return strings.TrimSpace(string(path))
}
